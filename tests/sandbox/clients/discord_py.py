"""discord.py against the sandbox: the JSON line of `wayhaven-sandbox serve` on argv or stdin."""

import asyncio
import json
import os
import sys

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

place = json.loads(sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline())
Route.BASE = place["api"] + "/api/v10"
# It does not ask /gateway for the first connection.
DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(place["gateway"])
os.environ["NO_PROXY"] = "127.0.0.1"

main_id = int(place["main_guild_id"])
target_id = int(place["member_ids"][0])


class Client(discord.Client):
    def __init__(self):
        super().__init__(intents=discord.Intents(guilds=True, members=True, moderation=True))
        self.banned = asyncio.Event()
        self.logged = asyncio.Event()
        self.unbanned = asyncio.Event()
        self.failure = None
        self.tree = app_commands.CommandTree(self)

    async def on_ready(self):
        try:
            await asyncio.wait_for(self.story(), 60)
        except BaseException as error:
            self.failure = error
        await self.close()

    async def on_member_ban(self, guild, user):
        if (guild.id, user.id) == (main_id, target_id):
            self.banned.set()

    async def on_member_unban(self, guild, user):
        if (guild.id, user.id) == (main_id, target_id):
            self.unbanned.set()

    async def on_audit_log_entry_create(self, entry):
        if entry.action is discord.AuditLogAction.ban and entry.target.id == target_id:
            assert entry.reason == "a strange reason: ü, %, 日本", entry.reason
            assert entry.user_id == self.user.id, entry.user_id
            self.logged.set()

    async def story(self):
        assert len(self.guilds) == 1 + len(place["child_guild_ids"]), self.guilds
        guild = self.get_guild(main_id)
        assert guild.name == "Wayhaven" and guild.chunked, guild
        assert guild.get_member(target_id) is not None

        await guild.ban(discord.Object(target_id), reason="a strange reason: ü, %, 日本", delete_message_seconds=0)
        await self.banned.wait()
        await self.logged.wait()
        bans = [entry async for entry in guild.bans(limit=None)]
        assert [entry.user.id for entry in bans] == [target_id], bans
        assert bans[0].reason.startswith("a strange reason"), bans[0]
        entries = [entry async for entry in guild.audit_logs(action=discord.AuditLogAction.ban, limit=5)]
        assert entries[0].target.id == target_id and entries[0].user == self.user, entries
        await guild.unban(discord.Object(target_id))
        await self.unbanned.wait()
        try:
            await guild.unban(discord.Object(target_id))
        except discord.NotFound as error:
            assert error.code == 10026, error
        else:
            raise AssertionError("a second unban passed")
        try:
            await guild.ban(discord.Object(guild.owner_id))
        except discord.Forbidden as error:
            assert error.code == 50013, error
        else:
            raise AssertionError("the owner was banned")

        @self.tree.command(name="ban", description="Ban somebody everywhere")
        @app_commands.describe(user="Whom", reason="Why")
        async def ban(interaction: discord.Interaction, user: discord.User, reason: str = ""):
            await interaction.response.send_message("ok", ephemeral=True)

        registered = await self.tree.sync()
        assert [command.name for command in registered] == ["ban"], registered

        user = await self.fetch_user(int(place["member_ids"][1]))
        message = await user.send("hello", nonce="n1")
        assert message.content == "hello", message
        log = discord.utils.get(guild.text_channels, name="moderation-log")
        await log.send(embed=discord.Embed(title="Ban", description="of somebody"))
        # Past the route's window: the library waits as the headers say.
        for _ in range(7):
            await log.send("x")


client = Client()
client.run(place["token"], log_level=30)
if client.failure is not None:
    raise SystemExit(f"FAILED: {client.failure!r}")
print("OK discord.py", discord.__version__)
