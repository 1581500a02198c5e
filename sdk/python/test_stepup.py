"""Runs against the server that `sdk/tests/python.test.mjs` starts and names in the environment."""

import json
import os
import pathlib
import unittest
from unittest import mock

from stepup import InvalidSignatureError, Stepup, StepupError, construct_event

URL = os.environ["STEPUP_URL"]
VECTORS = pathlib.Path(__file__).parents[2] / "challenge" / "vectors"
USER = "auth0|a b/c?é"


class AgainstTheServer(unittest.TestCase):
    def setUp(self):
        self.stepup = Stepup(os.environ["STEPUP_SECRET"], URL)

    def test_track_read_update(self):
        event = {"ipAddress": "81.2.69.142", "deviceId": "d1", "custom": {"outcome": "succeeded"}}
        tracked = self.stepup.track(USER, "sign_in", event)
        self.assertEqual(tracked["state"], "ALLOW")
        key = (USER, "sign_in", tracked["idempotencyKey"])
        self.assertEqual(self.stepup.get_action(*key)["state"], "ALLOW")
        self.assertEqual(self.stepup.update_action(*key, {"state": "REVIEW_FAILED"})["state"], "REVIEW_FAILED")
        self.assertEqual(self.stepup.get_action(*key)["state"], "REVIEW_FAILED")

    def test_a_token_validates_once(self):
        token = os.environ["STEPUP_RESULT_TOKEN"]
        other = {"amount": {"value": "250.01", "currency": "EUR"}}
        self.assertFalse(self.stepup.validate_challenge(token, "withdrawal", "python", other)["isValid"])
        self.assertFalse(self.stepup.validate_challenge(token, "withdrawal", "somebody")["isValid"])
        self.assertTrue(self.stepup.validate_challenge(token, "withdrawal", "python")["isValid"])
        self.assertFalse(self.stepup.validate_challenge(token, "withdrawal", "python")["isValid"])

    def test_users_and_their_phones(self):
        self.assertEqual(self.stepup.update_user(USER, {"email": "p+1@example.com"})["email"], "p+1@example.com")
        found = self.stepup.query_users(email="p+1@example.com", limit=10)["users"]
        self.assertEqual([user["userId"] for user in found], [USER])
        self.assertEqual(self.stepup.get_authenticators(USER), [])
        with self.assertRaises(StepupError) as refused:
            self.stepup.delete_authenticator(USER, "nothing")
        self.assertEqual(refused.exception.error_code, "credential_not_found")
        self.assertEqual(self.stepup.get_challenge(userId=USER, action="sign_in"), {})
        self.stepup.delete_user(USER)
        self.assertNotIn("email", self.stepup.get_user(USER))

    def test_what_was_decided_and_what_would_be(self):
        event = {"ipAddress": "81.2.69.142", "deviceId": "laptop", "custom": {"outcome": "succeeded"}}
        tracked = self.stepup.track("pat", "sign_in", event)
        decision = self.stepup.get_decision(tracked["decisionId"])
        self.assertEqual((decision["outcome"], decision["userId"]), ("allow", "pat"))
        found = self.stepup.query_decisions(user="pat", limit=5)["decisions"]
        self.assertEqual([decision["decisionId"] for decision in found], [tracked["decisionId"]])
        self.assertEqual(self.stepup.evaluate("pat", "sign_in", {**event, "ipAddress": "203.0.113.66"})["outcome"], "block")
        self.assertEqual(self.stepup.get_policies()["version"], tracked["policyVersion"])
        self.assertFalse(self.stepup.check_policies("policy x on")["ok"])
        self.assertFalse(self.stepup.check_policies(files={"a.rules": "policy x on"})["ok"])
        self.assertEqual(self.stepup.get_list_entries("blocked_ips"), [])
        self.assertEqual([device["deviceId"] for device in self.stepup.get_devices("pat")], ["laptop"])
        until = {"rememberedUntil": "2099-01-01T00:00:00Z"}
        self.assertIn("rememberedUntil", self.stepup.update_device("pat", "laptop", until))
        self.assertNotIn("rememberedUntil", self.stepup.update_device("pat", "laptop", {"rememberedUntil": None}))
        self.assertIn("invalidatedAt", self.stepup.invalidate_device("pat", "laptop"))
        self.assertEqual(self.stepup.get_terminals(), [])
        with self.assertRaises(StepupError) as unknown:
            self.stepup.get_terminal("kiosk-7")
        self.assertEqual(unknown.exception.status_code, 404)
        # A backend's key registers no terminals, keeps no lists and sends no webhooks again; the server says so, and knows the calls.
        for refused_call in (
            lambda: self.stepup.add_list_entry("blocked_ips", "198.18.7.7", reason="an attack"),
            lambda: self.stepup.delete_list_entry("blocked_ips", "198.18.7.7"),
            lambda: self.stepup.register_terminal("kiosk-7", "key", "Kiosk 7", {"country": "DE"}),
            lambda: self.stepup.revoke_terminal("kiosk-7"),
            self.stepup.get_webhooks,
            lambda: self.stepup.query_dead_letters(limit=1),
            self.stepup.redeliver_webhooks,
        ):
            with self.assertRaises(StepupError) as refused:
                refused_call()
            self.assertEqual((refused.exception.status_code, refused.exception.error_code), (403, "forbidden"))

    def test_a_session(self):
        token = os.environ["STEPUP_SESSION_TOKEN"]
        first = self.stepup.create_session("demo", token, "withdrawal")
        self.assertEqual(self.stepup.validate_session(first["accessToken"], ["demo"])["user"]["userId"], "python")
        second = self.stepup.refresh_session(first["refreshToken"])
        self.stepup.revoke_session(second["accessToken"])
        for gone in (first, second):
            with self.assertRaises(StepupError) as refused:
                self.stepup.validate_session(gone["accessToken"])
            self.assertEqual(refused.exception.error_code, "invalid_token")
        self.stepup.revoke_user_sessions("python")

    def test_a_refusal_says_which_part_is_wrong(self):
        with self.assertRaises(StepupError) as refused:
            self.stepup.track("pat", "withdrawal", {"custom": {"amount": {"value": "a lot", "currency": "EUR"}, "payee": "p1"}})
        self.assertEqual([error["pointer"] for error in refused.exception.errors], ["/custom/amount"])

    def test_a_stranger_is_not_enrolled(self):
        self.assertFalse(self.stepup.get_user("nobody")["isEnrolled"])

    def test_recovery_codes_and_a_reset_that_is_not_the_backends(self):
        issued = self.stepup.enroll_verified_authenticator("pat")
        self.assertEqual((len(issued["recoveryCodes"]), self.stepup.get_user("pat")["recoveryCodesLeft"]), (10, 10))
        with self.assertRaises(StepupError) as refused:
            self.stepup.reset_user("pat", "phone lost", "Kim", enrolWithinS=3600)
        self.assertEqual((refused.exception.status_code, refused.exception.error_code), (403, "forbidden"))

    def test_a_wrong_secret_is_refused(self):
        with self.assertRaises(StepupError) as refused:
            Stepup("wrong", URL).get_user("nobody")
        self.assertEqual((refused.exception.status_code, refused.exception.error_code), (401, "unauthorized"))

    def test_no_answer_and_no_path(self):
        with self.assertRaises(StepupError) as refused:
            Stepup("x", "http://127.0.0.1:1/v1").get_user("nobody")
        self.assertEqual(refused.exception.error_code, "network_error")
        with self.assertRaises(StepupError):
            self.stepup.get_user("..")


class Webhooks(unittest.TestCase):
    def test_every_webhook_has_its_verdict(self):
        for case in json.loads((VECTORS / "webhook.json").read_text(encoding="utf-8"))["received"]:
            with self.subTest(case["name"]), mock.patch("time.time", return_value=case["now"]):
                given = (case["body"], case["header"], case["secret"], case.get("tolerance", 5))
                try:
                    verdict = "ok" if construct_event(*given)["version"] == 1 else "odd"
                except InvalidSignatureError as refused:
                    verdict = refused.reason
                self.assertEqual(verdict, case["expect"])

    def test_the_client_knows_its_secret(self):
        case = json.loads((VECTORS / "webhook.json").read_text(encoding="utf-8"))["received"][0]
        event = Stepup(case["secret"], URL).construct_event(case["body"].encode(), case["header"], tolerance=0)
        self.assertEqual(event["type"], "challenge.approved")
