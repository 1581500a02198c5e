"""Stepup for a backend in Python: what may this user do, and was the challenge passed? The standard library is enough."""

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid


class StepupError(Exception):
    """The server refused, or could not be reached (`status_code` 0). `errors` has `pointer`, `code` and `detail` of each part of the
    request that is wrong."""

    def __init__(self, status_code, error_code, error_description=None, errors=()):
        super().__init__(error_description or error_code)
        self.errors = list(errors)
        self.status_code = status_code
        self.error_code = error_code
        self.error_description = error_description


class InvalidSignatureError(Exception):
    """A webhook is not one of ours, or comes too late or too early: `reason` says which."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


def construct_event(payload, signature, secret, tolerance=5):
    """The event of a webhook. `payload` is the raw body, `signature` the header `X-Signature-V2`, `tolerance` in minutes; 0 does
    not look at the time. An event may come twice: remember its `id`."""
    body = payload if isinstance(payload, bytes) else payload.encode()
    stamp, signatures = None, []
    for part in (signature or "").split(","):
        name, _, value = part.partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) <= 12:
            stamp = int(value)
        elif name == "v2":
            signatures.append(value.encode())
    if stamp is None or not signatures:
        raise InvalidSignatureError("malformed", "the header X-Signature-V2 is not there or not complete")
    late = round(time.time()) - stamp
    if tolerance > 0 and late > tolerance * 60:
        raise InvalidSignatureError("stale", "the webhook is too old")
    if tolerance > 0 and -late > tolerance * 60:
        raise InvalidSignatureError("future", "the webhook is from the future; is this clock right?")
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).digest()
    computed = base64.b64encode(digest).rstrip(b"=")
    if not any([hmac.compare_digest(computed, given) for given in signatures]):
        raise InvalidSignatureError("mismatch", "no signature of the webhook fits its body and this secret")
    return json.loads(body)


class Stepup:
    """A client of one tenant. Arguments have Python's names, attributes and answers the wire's."""

    def __init__(self, api_secret_key, api_url, timeout=10):
        self._secret = api_secret_key
        self._api_url = api_url.rstrip("/")
        self._authorization = "Basic " + base64.b64encode(f"{api_secret_key}:".encode()).decode()
        self._timeout = timeout

    def track(self, user_id, action, attributes=None):
        """May the user do this? An attempt without an idempotency key gets one."""
        body = {"idempotencyKey": str(uuid.uuid4()), **(attributes or {})}
        return self._call("POST", ["users", user_id, "actions", action], body)

    def get_action(self, user_id, action, idempotency_key):
        """How does it stand?"""
        return self._call("GET", ["users", user_id, "actions", action, idempotency_key])

    def update_action(self, user_id, action, idempotency_key, attributes):
        """Says how it ended: `{"state": "REVIEW_SUCCEEDED"}`."""
        return self._call("PATCH", ["users", user_id, "actions", action, idempotency_key], attributes)

    def validate_challenge(self, token, action=None, user_id=None, expect=None):
        """Was the challenge passed? A token validates once. `expect` holds values that the person must have signed."""
        body = {"token": token, "action": action, "userId": user_id, "expect": expect}
        return self._call("POST", ["validate"], {name: value for name, value in body.items() if value is not None})

    def query_user_actions(self, user_id, from_date=None, action_codes=None, state=None):
        """The user's actions, newest first."""
        codes = ",".join(action_codes) if action_codes else None
        return self._call("GET", ["users", user_id, "actions"], query={"fromDate": from_date, "codes": codes, "state": state})

    def get_user(self, user_id):
        """A user who was never seen is not enrolled."""
        return self._call("GET", ["users", user_id])

    def construct_event(self, payload, signature, tolerance=5):
        """The event of a webhook that is signed with the API secret; see the function of this name."""
        return construct_event(payload, signature, self._secret, tolerance)

    def query_users(self, **query):
        """Users by `email`, `username` or `phoneNumber`; `limit` and `lastEvaluatedUserId` turn the pages."""
        return self._call("GET", ["users"], query=query)

    def update_user(self, user_id, attributes):
        """Sets the attributes that are given."""
        return self._call("PATCH", ["users", user_id], attributes)

    def delete_user(self, user_id):
        """Forgets the user, revokes their phones and ends their sessions."""
        return self._call("DELETE", ["users", user_id])

    def get_authenticators(self, user_id):
        """The user's phones."""
        return self._call("GET", ["users", user_id, "authenticators"])

    def delete_authenticator(self, user_id, user_authenticator_id):
        """The phone can approve nothing from now on."""
        return self._call("DELETE", ["users", user_id, "authenticators", user_authenticator_id])

    def get_challenge(self, **query):
        """The open challenge by `challengeId`, or by `userId` and `action`; empty when there is none."""
        return self._call("GET", ["challenges"], query=query)

    def create_session(self, client_id, token, action=None):
        """A session of an application for an approval: the token of the challenge is used up by it."""
        body = {"clientId": client_id, "token": token, **({"action": action} if action else {})}
        return self._call("POST", ["sessions"], body)

    def validate_session(self, access_token, client_ids=None):
        """Whose session it is, now. Raises when it is over, or when the access token has expired."""
        body = {"accessToken": access_token, **({"clientIds": client_ids} if client_ids else {})}
        return self._call("POST", ["sessions", "validate"], body)

    def refresh_session(self, refresh_token):
        """The next pair of tokens. A refresh token that comes a second time ends the session."""
        return self._call("POST", ["sessions", "refresh"], {"refreshToken": refresh_token})

    def revoke_session(self, access_token):
        """Ends a session, also one whose access token has expired."""
        return self._call("POST", ["sessions", "revoke"], {"accessToken": access_token})

    def revoke_user_sessions(self, user_id):
        """Ends every session of a user."""
        return self._call("POST", ["sessions", "user", "revoke"], {"userId": user_id})

    def enroll_verified_authenticator(self, user_id, attributes=None):
        """Recovery codes for a user, answered only now; those of before are worth nothing. Phones enrol themselves."""
        body = attributes or {"verificationMethod": "RECOVERY_CODE"}
        return self._call("POST", ["users", user_id, "authenticators"], body)

    def reset_user(self, user_id, reason, author, idempotency_key=None, **more):
        """With an administrator's secret: takes phones and recovery codes away, and permits one new phone."""
        key = idempotency_key or str(uuid.uuid4())
        body = {"reason": reason, "author": author, **more}
        return self._call("POST", ["users", user_id, "reset"], body, more_headers={"Idempotency-Key": key})

    def get_devices(self, user_id):
        """The devices that the user was seen on."""
        return self._call("GET", ["users", user_id, "devices"])

    def update_device(self, user_id, device_id, attributes):
        """Remembers a device: `{"rememberedUntil": time}`, or with `None` no more."""
        return self._call("PATCH", ["users", user_id, "devices", device_id], attributes)

    def invalidate_device(self, user_id, device_id):
        """Takes a device back: it is as good as a new one."""
        return self._call("POST", ["users", user_id, "devices", device_id, "invalidate"], {})

    def get_decision(self, decision_id):
        """What was decided and why, with the signals that were read and the trace of every rule."""
        return self._call("GET", ["decisions", decision_id])

    def query_decisions(self, **query):
        """Decisions by `user`, `action`, `outcome`, `state`, `rule` or `reason`, newest first; `cursor` turns the pages. `from` is
        a word of Python's: `**{"from": time}`."""
        return self._call("GET", ["decisions"], query=query)

    def evaluate(self, user_id, action, attributes=None):
        """What would the rules say? Nothing is stored and nothing is counted."""
        return self._call("POST", ["evaluate"], {**(attributes or {}), "userId": user_id, "action": action})

    def get_policies(self):
        """The policies in force: their version, actions, rules and lists."""
        return self._call("GET", ["policies"])

    def check_policies(self, source=None, files=None):
        """What the compiler says of one file's text, or of `files` (path to text). Nothing is changed."""
        return self._call("POST", ["policies", "check"], {"source": source} if files is None else {"files": files})

    def get_list_entries(self, name):
        """What was added to a list of the policies, and still is on it."""
        return self._call("GET", ["lists", name, "entries"])["entries"]

    def add_list_entry(self, name, value, **more):
        """Rules see it at once; `reason` and `expiresAt` may be given."""
        return self._call("POST", ["lists", name, "entries"], {"value": value, **more})

    def delete_list_entry(self, name, value):
        """Takes a value off the list."""
        return self._call("DELETE", ["lists", name, "entries"], query={"value": value})

    def register_terminal(self, terminal_id, public_key, name, place=None):
        """Lets a terminal vouch for the challenges that it shows; needs an administrator's key. Another key takes the old one's place."""
        body = {"publicKey": public_key, "name": name, **({} if place is None else {"place": place})}
        return self._call("PUT", ["terminals", terminal_id], body)

    def get_terminal(self, terminal_id):
        """Its key, its name and where it stands."""
        return self._call("GET", ["terminals", terminal_id])

    def get_terminals(self):
        """Every key that a terminal has, or had."""
        return self._call("GET", ["terminals"])["terminals"]

    def revoke_terminal(self, terminal_id):
        """Its key vouches for nothing any more, and what is on its screen is cancelled; needs an administrator's key."""
        return self._call("DELETE", ["terminals", terminal_id])

    def get_webhooks(self):
        """The webhooks of the configuration, and how many deliveries wait."""
        return self._call("GET", ["webhooks"])["webhooks"]

    def query_dead_letters(self, **query):
        """What could not be delivered; `endpoint`, `limit` and `cursor`."""
        return self._call("GET", ["webhooks", "dead-letters"], query=query)

    def redeliver_webhooks(self, **which):
        """Gives one dead letter (`id`), those of an `endpoint`, or all of them their attempts again."""
        return self._call("POST", ["webhooks", "redeliver"], which)

    def _call(self, method, segments, body=None, query=None, more_headers=None):
        if any(segment in ("", ".", "..") for segment in segments):
            raise StepupError(0, "invalid_request", "an id in the path is empty or dots")
        url = "/".join([self._api_url, *(urllib.parse.quote(segment, safe="") for segment in segments)])
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url += "?" + urllib.parse.urlencode(given) if given else ""
        headers = {"Authorization": self._authorization, "Accept": "application/json", **(more_headers or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                return _json(response.status, response.read())
        except urllib.error.HTTPError as error:
            with error:
                answer = _json(error.code, error.read())
            code = answer.get("errorCode") or answer.get("error") or "unknown"
            raise StepupError(error.code, code, answer.get("errorDescription"), answer.get("errors") or ()) from None
        except OSError as error:
            raise StepupError(0, "network_error", str(error)) from error


def _json(status, text):
    try:
        return json.loads(text)
    except ValueError:
        raise StepupError(status, "invalid_answer", f"the server answered HTTP {status} without JSON") from None
