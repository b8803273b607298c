"""The seeds' service: FastAPI, SQLAlchemy and asyncpg, storing in the request. Run by the benchmark.

Environment: DATABASE_URL (postgresql+asyncpg://…), PORT, DB_POOL_SIZE, and STORE: "orm" adds an object of a mapped class
for each event to a session, as the tutorials of both do; "core" hands plain rows to one insert, which is the fastest
that SQLAlchemy has. Ends when its standard input is closed.
"""

import json
import os
import sys
import threading
from datetime import datetime
from typing import List, Optional
from uuid import UUID

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Extra, Field, validator
from sqlalchemy import Column, DateTime, MetaData, Table, Text, insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import declarative_base

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=int(os.environ["DB_POOL_SIZE"]), max_overflow=0)
events_table = Table(
    "events",
    MetaData(),
    Column("event_id", postgresql.UUID(as_uuid=True), primary_key=True),
    Column("event_type", Text),
    Column("occurred_at", DateTime(timezone=True)),
    Column("actor", Text),
    Column("session_id", Text),
    Column("correlation_id", Text),
    Column("resource", Text),
    Column("payload", postgresql.JSONB),
)


class EventRow(declarative_base()):
    __table__ = events_table


async def store_with_core(rows, sessions):
    async with engine.begin() as connection:
        await connection.execute(insert(events_table), rows)
        await connection.execute(COUNT_SESSIONS, sessions)


async def store_with_orm(rows, sessions):
    async with AsyncSession(engine) as session, session.begin():
        session.add_all([EventRow(**row) for row in rows])
        await session.execute(COUNT_SESSIONS, sessions)


store = {"core": store_with_core, "orm": store_with_orm}[os.environ["STORE"]]

# In key order: without that, concurrent batches of one session deadlock.
COUNT_SESSIONS = text(
    """
    INSERT INTO sessions AS s (tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count)
    SELECT 'default', i.session_id, max(i.actor), min(i.occurred_at), max(i.occurred_at), now(), count(*)
    FROM json_to_recordset(CAST(:sessions AS json)) AS i (session_id text, actor text, occurred_at timestamptz)
    WHERE i.session_id IS NOT NULL
    GROUP BY i.session_id ORDER BY i.session_id
    ON CONFLICT (tenant, session_id) DO UPDATE SET
      last_event_at = greatest(s.last_event_at, excluded.last_event_at),
      last_seen_at = excluded.last_seen_at,
      event_count = s.event_count + excluded.event_count
    """
)


class Event(BaseModel):
    eventId: UUID
    eventType: str = Field(min_length=1, max_length=64)
    timestamp: datetime
    userName: Optional[str] = Field(None, max_length=512)
    sessionId: Optional[str] = Field(None, max_length=512)
    correlationId: Optional[str] = Field(None, max_length=512)
    workbookName: Optional[str] = Field(None, max_length=512)

    class Config:
        extra = Extra.allow

    @validator("timestamp")
    def has_time_zone(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("timestamp must have a time zone")
        return value


class Batch(BaseModel):
    events: List[Event] = Field(min_items=1, max_items=1000)


COLUMNS = {"eventId", "eventType", "timestamp", "userName", "sessionId", "correlationId", "workbookName"}
app = FastAPI()


def properties(event):
    # Pydantic 2 stores properties that the model does not name separately.
    yield from event.__dict__.items()
    yield from (getattr(event, "__pydantic_extra__", None) or {}).items()


@app.get("/ready")
async def ready():
    return {"status": "ready"}


@app.post("/api/events", status_code=202)
async def post_events(batch: Batch):
    rows = [
        {
            "event_id": event.eventId,
            "event_type": event.eventType,
            "occurred_at": event.timestamp,
            "actor": event.userName,
            "session_id": event.sessionId,
            "correlation_id": event.correlationId,
            "resource": event.workbookName,
            "payload": {name: value for name, value in properties(event) if name not in COLUMNS},
        }
        for event in batch.events
    ]
    sessions = [
        {"session_id": row["session_id"], "actor": row["actor"], "occurred_at": row["occurred_at"].isoformat()}
        for row in rows
    ]
    await store(rows, {"sessions": json.dumps(sessions)})
    return {"accepted": len(rows)}


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
