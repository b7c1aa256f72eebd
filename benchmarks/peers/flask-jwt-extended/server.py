"""Flask-JWT-Extended with a table of tokens in SQLite, as its documentation's chapter on revoking has it, and rotation.

``POST /login {"user": …}`` answers a pair for a user who was signed in elsewhere. ``POST /refresh`` with the refresh token as
Bearer revokes that one and answers the next pair. What is answered is committed before, with ``synchronous=FULL``.
"""

import os
from datetime import UTC, datetime

from flask import Flask, jsonify, request
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token, get_jwt, jwt_required
from flask_jwt_extended.utils import get_jti
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["PEER_SECRET"]
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['PEER_DATABASE']}"
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"timeout": 10}}
jwt = JWTManager(app)
db = SQLAlchemy(app)


@event.listens_for(Engine, "connect")
def durable(connection, _):
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


class Token(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    jti = db.Column(db.String(36), nullable=False, unique=True)
    user = db.Column(db.String(255), nullable=False)
    revoked_at = db.Column(db.DateTime)


@jwt.token_in_blocklist_loader
def is_revoked(_, payload):
    if payload["type"] != "refresh":
        return False
    token = db.session.query(Token).filter_by(jti=payload["jti"]).one_or_none()
    return token is None or token.revoked_at is not None


def pair(user):
    refresh = create_refresh_token(identity=user)
    db.session.add(Token(jti=get_jti(refresh), user=user))
    db.session.commit()
    return jsonify(access=create_access_token(identity=user), refresh=refresh)


@app.post("/login")
def login():
    return pair(request.json["user"])


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():
    used = get_jwt()
    db.session.query(Token).filter_by(jti=used["jti"]).update({"revoked_at": datetime.now(UTC)})
    return pair(used["sub"])


@app.get("/healthz")
def health():
    return jsonify(status="ok")


with app.app_context():
    db.create_all()
