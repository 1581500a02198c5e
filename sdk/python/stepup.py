"""Stepup for a backend in Python: what may this user do, and was the challenge passed? The standard library is enough."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid


class StepupError(Exception):
    """The server refused, or could not be reached (`status_code` 0)."""

    def __init__(self, status_code, error_code, error_description=None):
        super().__init__(error_description or error_code)
        self.status_code = status_code
        self.error_code = error_code
        self.error_description = error_description


class Stepup:
    """A client of one tenant. Arguments have Python's names, attributes and answers the wire's."""

    def __init__(self, api_secret_key, api_url, timeout=10):
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

    def get_user(self, user_id):
        """A user who was never seen is not enrolled."""
        return self._call("GET", ["users", user_id])

    def _call(self, method, segments, body=None):
        if any(segment in ("", ".", "..") for segment in segments):
            raise StepupError(0, "invalid_request", "an id in the path is empty or dots")
        url = "/".join([self._api_url, *(urllib.parse.quote(segment, safe="") for segment in segments)])
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
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
            raise StepupError(error.code, code, answer.get("errorDescription")) from None
        except OSError as error:
            raise StepupError(0, "network_error", str(error)) from error


def _json(status, text):
    try:
        return json.loads(text)
    except ValueError:
        raise StepupError(status, "invalid_answer", f"the server answered HTTP {status} without JSON") from None
