"""The tables of a project's database; whoever opens it makes those that are missing."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

TABLES = MetaData()
SCORES = Table(
    "scores",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("file", String(200), nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("model_version", String(50), nullable=False),
    Column("data_version", String(100), nullable=False),
    Column("customers", BigInteger, nullable=False),
    Column("scored_at", BigInteger, nullable=False),
)
CHAMPIONS = Table(
    "champions",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("version", String(50), nullable=False),
    Column("fingerprint", String(12), nullable=False),
    Column("since", BigInteger, nullable=False),
)
KEYS = Table(
    "api_keys",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scopes", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
)
PEOPLE = Table(
    "people",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("name_key", String(200), nullable=False, unique=True),
    Column("display_name", String(100), nullable=False, default=""),
    Column("role", String(20), nullable=False),
    Column("password_hash", String(200), nullable=False, default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("last_sign_in_at", BigInteger),
    Column("link_hash", String(64), unique=True),
    Column("link_expires_at", BigInteger),
)
"""Accounts of people. `name_key` is the name as it is compared; `password_hash` is empty until a password was
chosen; `link_hash` is the SHA-256 of the one-time link with which one is chosen."""
SESSIONS = Table(
    "sessions",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("person", Integer, nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("address", String(50), nullable=False, default=""),
    Column("agent", String(200), nullable=False, default=""),
)
"""Sessions of people by the SHA-256 of their token. Instants are this machine's, also where a project's time
is simulated."""
SIGN_IN_FAILURES = Table(
    "sign_in_failures",
    TABLES,
    Column("subject", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False, index=True),
)
"""Failed attempts to sign in: by account, by address, and by both. `subject` is a hash, as people type
passwords into the field of the name."""
AUDIT = Table(
    "audit",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(100), nullable=False),
    Column("action", String(50), nullable=False),
    Column("customer_key", BigInteger),
    Column("details", String(1000), nullable=False, default=""),
)
"""What people changed: keys, models, erasures, backups. Customers are named by key only."""
CALLS = Table(
    "calls",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("newest_at", BigInteger, nullable=False),
    Column("who", String(100), nullable=False),
    Column("action", String(50), nullable=False),
    Column("calls", Integer, nullable=False),
    Column("at", LargeBinary, nullable=False),
    Column("customers", LargeBinary, nullable=False),
    Column("keys", LargeBinary, nullable=False),
)
"""Of each call of the service when it was (eight bytes, microseconds UTC) and how many customers it asked for
(four bytes); the customer keys of all calls one after the other (eight bytes each). Rows written in one step
share `newest_at`, the instant of their newest call."""
OUTBOX = Table(
    "outbox",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("key", String(32), nullable=False, unique=True),
    Column("webhook", String(100), nullable=False),
    Column("content", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("trouble", String(500), nullable=False, default=""),
)
"""What waits to be delivered to webhooks, and what became of it."""
BACKUPS = Table(
    "backups",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("file", String(1000), nullable=False),
    Column("data_version", String(100), nullable=False),
    Column("state", String(1000), nullable=False),
)
"""The archives that `kizuna backup` wrote; they hold whoever was not erased before `at`."""
CAMPAIGNS = Table(
    "campaigns",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("state", String(10), nullable=False),
    Column("file", String(200), nullable=False, default=""),
    Column("source", String(10), nullable=False),
    Column("filters", Text, nullable=False),
    Column("control_share", Float, nullable=False),
    Column("hold_days", Integer, nullable=False),
    Column("review_months", Text, nullable=False),
    Column("touch_models", Text, nullable=False),
    Column("segments", Text, nullable=False),
    Column("overlap", Integer, nullable=False, default=0),
    Column("who", String(100), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("hold_until", BigInteger),
    Column("stopped_at", BigInteger),
    Column("seed", String(16), nullable=False, default=""),
    Column("score_file", String(200), nullable=False, default=""),
    Column("model_version", String(50), nullable=False, default=""),
    Column("data_version", String(100), nullable=False, default=""),
    Column("as_of", BigInteger),
    Column("treatment", BigInteger, nullable=False, default=0),
    Column("control", BigInteger, nullable=False, default=0),
)
"""A campaign: its declarations and, once started, what replays its assignment. Its file has the customers."""
CAMPAIGN_RESULTS = Table(
    "campaign_results",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("campaign", String(100), nullable=False),
    Column("computed_at", BigInteger, nullable=False),
    Column("report", Text, nullable=False),
)
"""Computed reports of campaigns as JSON; the newest one of a campaign is shown."""
CAMPAIGN_NOTES = Table(
    "campaign_notes",
    TABLES,
    Column("campaign", String(100), primary_key=True),
    Column("note", String(500), nullable=False),
    Column("who", String(100), nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""What a campaign is for, and over which channel, in the words of who made it."""
NOTED_VERSIONS = Table(
    "noted_versions",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("before", String(16), nullable=False),
    Column("after", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""The data version before and after each write of what a person noted."""
CAMPAIGN_CHANNELS = Table(
    "campaign_channels",
    TABLES,
    Column("campaign", String(100), primary_key=True),
    Column("channel", String(60), nullable=False),
)
"""The channel of a campaign that was given one; a table of its own, since older records have none."""
CAMPAIGN_SECRET = Table(
    "campaign_secret",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("global_control", String(16), nullable=False),
    Column("draws", Integer, nullable=False),
)
"""One row: the key of the standing control group, and how many campaigns were drawn. Whoever starts a
campaign updates it first, so that of several starts one waits for the other."""
SAVED_FILTERS = Table(
    "saved_filters",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("filters", Text, nullable=False),
    Column("who", String(100), nullable=False),
    Column("saved_at", BigInteger, nullable=False),
)
"""Filters of the list under a name, shared by everybody: their fields as JSON, and who saved them last."""
PREFERENCES = Table(
    "preferences",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("who", String(100), nullable=False),
    Column("name", String(50), nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("who", "name"),
)
"""What a person chose to see, such as the columns of the list."""
JOBS = Table(
    "jobs",
    TABLES,
    Column("id", String(16), primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("exclusive", String(50), unique=True),
    Column("who", String(100), nullable=False),
    Column("who_kind", String(10), nullable=False),
    Column("permissions", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("process", BigInteger),
    Column("state", String(15), nullable=False),
    Column("step", String(200), nullable=False, default=""),
    Column("share", Float, nullable=False, default=0.0),
    Column("result", Text, nullable=False, default=""),
    Column("error", String(2000), nullable=False, default=""),
)
"""Work in a process of its own: who asked for what, how far it is and what became of it. No row names a
customer. `exclusive` names what only one unfinished job may do at a time, null once a job is finished."""
UPLIFT_MODELS = Table(
    "uplift_models",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("learned_at", BigInteger, nullable=False),
    Column("who", String(100), nullable=False),
    Column("fingerprint", String(12), nullable=False),
    Column("about", Text, nullable=False),
)
"""Uplift models that came into use; the newest row counts. One without a fingerprint says that none is in use
since then. `about` has the facts of the model as JSON; its files are in `uplift` of the state."""
PLAYBOOK_VERSIONS = Table(
    "playbook_versions",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(100), nullable=False),
    Column("how", String(10), nullable=False),
    Column("note", String(500), nullable=False, default=""),
    Column("fingerprint", String(16), nullable=False),
    Column("restored", Integer),
    Column("text", Text, nullable=False),
)
"""Every text that `playbook.toml` had, as far as Kizuna saw it. The file decides; this is its memory."""
RUNS = Table(
    "runs",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("day", String(10), nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("state", String(10), nullable=False),
    Column("who", String(100), nullable=False),
)
"""Each `kizuna run`: the local day that it is for, and what became of it. Instants by the project's clock."""
RUN_STEPS = Table(
    "run_steps",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("run", Integer, nullable=False, index=True),
    Column("step", String(30), nullable=False),
    Column("scheduled", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("job", String(16), nullable=False, default=""),
    Column("seconds", Float, nullable=False, default=0.0),
    Column("result", Text, nullable=False, default=""),
    Column("error", String(2000), nullable=False, default=""),
    UniqueConstraint("run", "step"),
)
"""The steps of a run: for which instant of the schedule each was due, its last job and what came of it.
`seconds` are of this machine. No row names a customer."""
