"""The seeds' service: FastAPI, SQLAlchemy and asyncpg, storing in the request. serve.py runs it for the benchmark.

Environment: DATABASE_URL (postgresql+asyncpg://…), DB_POOL_SIZE, and STORE: "orm" adds an object of a mapped class for
each event to a session, as the tutorials of both do; "core" hands plain rows to one insert, which is the fastest that
SQLAlchemy has.
"""

import json
import os
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import DateTime, Text, insert, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=int(os.environ["DB_POOL_SIZE"]), max_overflow=0)
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), dict[str, Any]: JSONB}


class EventRow(Base):
    __tablename__ = "events"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_type: Mapped[str]
    occurred_at: Mapped[datetime]
    actor: Mapped[str | None]
    session_id: Mapped[str | None]
    correlation_id: Mapped[str | None]
    resource: Mapped[str | None]
    payload: Mapped[dict[str, Any]]


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


async def store_with_core(rows: list[dict[str, Any]], sessions: dict[str, str]) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(EventRow.__table__), rows)
        await connection.execute(COUNT_SESSIONS, sessions)


async def store_with_orm(rows: list[dict[str, Any]], sessions: dict[str, str]) -> None:
    async with new_session.begin() as session:
        session.add_all([EventRow(**row) for row in rows])
        await session.execute(COUNT_SESSIONS, sessions)


store = {"core": store_with_core, "orm": store_with_orm}[os.environ["STORE"]]

Name = Annotated[str, Field(max_length=512)]


class Event(BaseModel):
    model_config = ConfigDict(extra="allow")

    eventId: UUID
    eventType: Annotated[str, Field(min_length=1, max_length=64)]
    timestamp: AwareDatetime
    userName: Name | None = None
    sessionId: Name | None = None
    correlationId: Name | None = None
    workbookName: Name | None = None


class Batch(BaseModel):
    events: Annotated[list[Event], Field(min_length=1, max_length=1000)]


app = FastAPI()


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
            # What the model does not name.
            "payload": event.model_extra,
        }
        for event in batch.events
    ]
    sessions = [
        {"session_id": row["session_id"], "actor": row["actor"], "occurred_at": row["occurred_at"].isoformat()}
        for row in rows
    ]
    await store(rows, {"sessions": json.dumps(sessions)})
    return {"accepted": len(rows)}
