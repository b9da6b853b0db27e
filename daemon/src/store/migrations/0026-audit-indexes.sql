-- What a guild's own people read of a long audit, and what did not succeed in it: both are few rows among very many.
CREATE INDEX command_audit_guild ON command_audit (guild_id, id) WHERE guild_id IS NOT NULL AND kind = 'outcome';
CREATE INDEX command_audit_failures ON command_audit (result_status, id)
    WHERE result_status <> 'success' AND kind = 'outcome';
