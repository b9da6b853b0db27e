// discord.js against the sandbox: the JSON line of `wayhaven-sandbox serve` on argv or stdin.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { once } from "node:events";
import readline from "node:readline";

// Installed elsewhere than this file: NODE_PATH is not for modules, so ask require.
const require = createRequire(process.env.DISCORD_JS_HOME ? `${process.env.DISCORD_JS_HOME}/` : import.meta.url);
const { AuditLogEvent, Client, Events, GatewayIntentBits, SlashCommandBuilder, version } = require("discord.js");

async function line() {
  if (process.argv[2]) return process.argv[2];
  const [first] = await once(readline.createInterface({ input: process.stdin }), "line");
  return first;
}

const place = JSON.parse(await line());
const target = place.member_ids[2];
const reason = "a strange reason: ü, %, 日本";
setTimeout(() => { console.error("FAILED: 60 s are over"); process.exit(1); }, 60_000).unref();

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildModeration],
  rest: { api: `${place.api}/api` },
});
client.on(Events.Error, (error) => { console.error("FAILED:", error); process.exit(1); });
const ready = once(client, Events.ClientReady);
await client.login(place.token);
await ready;
assert.equal(client.guilds.cache.size, 1 + place.child_guild_ids.length);
const guild = client.guilds.cache.get(place.main_guild_id);
assert.equal(guild.name, "Wayhaven");

const banned = once(client, Events.GuildBanAdd);
const logged = once(client, Events.GuildAuditLogEntryCreate);
await guild.bans.create(target, { reason, deleteMessageSeconds: 0 });
const [ban] = await banned;
assert.equal(ban.user.id, target);
const [entry] = await logged;
assert.equal(entry.action, AuditLogEvent.MemberBanAdd);
assert.equal(entry.reason, reason);
assert.equal(entry.executorId, client.user.id);
const bans = await guild.bans.fetch();
assert.deepEqual([...bans.keys()], [target]);
const logs = await guild.fetchAuditLogs({ type: AuditLogEvent.MemberBanAdd, limit: 5 });
assert.equal(logs.entries.first().targetId, target);

const command = new SlashCommandBuilder().setName("ban").setDescription("Ban somebody everywhere")
  .addUserOption((option) => option.setName("user").setDescription("Whom").setRequired(true))
  .setDefaultMemberPermissions(4n);
const registered = await client.application.commands.set([command]);
assert.equal(registered.first().name, "ban");

const interaction = once(client, Events.InteractionCreate);
const asked = await fetch(`${place.control}/slash`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({
    guild: place.main_guild_id, by: place.moderator_id, command: "ban", options: { user: place.member_ids[3] },
  }),
});
assert.equal(asked.status, 200, await asked.clone().text());
const [used] = await interaction;
await used.deferReply({ flags: 64 });
await used.editReply({ content: `would ban ${used.options.getUser("user").username}` });
await used.followUp({ content: "and more", flags: 64 });
const { interaction: id } = await asked.json();
const seen = await (await fetch(`${place.control}/reply/${id}?wait_ms=5000`)).json();
assert.match(seen.reply.content, /would ban/);
assert.equal(seen.deferred, true);

await assert.rejects(guild.members.ban(guild.ownerId), { code: 50013 });
await guild.bans.remove(target);
await client.destroy();
console.log("OK discord.js", version);
process.exit(0);
