#!/usr/bin/env python3
"""Makes the vectors beside it, independently of the Rust code: Python's own hashes, the pure-Python `ecdsa` package (RFC 6979)
and `cryptography` (Ed25519). Run once, read the difference, commit: `pip install ecdsa cryptography && ./make.py`."""
import base64, hashlib, hmac, json, pathlib
from ecdsa import NIST256p, NIST384p, SECP256k1, SigningKey
from ecdsa.util import sigencode_der
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = pathlib.Path(__file__).parent
N = NIST256p.order
std = lambda b: base64.b64encode(b).decode()
url = lambda b: base64.urlsafe_b64encode(b).decode().rstrip("=")
sha = lambda b: hashlib.sha256(b).digest()
HEADER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

def write(name, value):
    (HERE / f"{name}.json").write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")

def private(byte):
    return SigningKey.from_string(bytes([byte]) * 32, curve=NIST256p)

def spki(key):
    return HEADER + b"\x04" + key.verifying_key.to_string()

def sign(key, text):
    return key.sign_deterministic(text.encode(), hashfunc=hashlib.sha256, sigencode=sigencode_der)

def integer(n):
    b = n.to_bytes((n.bit_length() + 8) // 8, "big")
    return bytes([2, len(b)]) + b

def der(r, s):
    body = integer(r) + integer(s)
    return bytes([0x30, len(body)]) + body

def numbers(d):
    r = int.from_bytes(d[4:4 + d[3]], "big")
    return r, int.from_bytes(d[6 + d[3]:], "big")

def twin(d):
    r, s = numbers(d)
    return der(r, N - s)

phone, terminal = private(7), private(11)

# --- keys of the test phones -------------------------------------------------------------------------------------------
write("phones", [{"private": (bytes([b]) * 32).hex(), "publicKey": std(spki(private(b))),
                  "thumbprint": url(sha(spki(private(b))))} for b in (7, 8, 9, 10)])

# --- what stock SDKs send ----------------------------------------------------------------------------------------------
KEY = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKAceh7omSMN6vcWgR8IMx38KsvKU5VgkirsONzd5XaW+FVFdeBGyOmU1Tl9cQQNNXkODqaoAo6cHQgcqQWlnSg=="
SIG = "MEUCIDOw33MnV1Eoxv6RnNa7k+e3rrq5+0mu+BiH2gTxrjAaAiEA4ylR3SpbHn1mh4116/CF2nNWSAIZmK5ZmKc32g2wrF0="
ID = "3a991a14-690c-492b-a5e5-02b9056a4b7d"
write("compat", {
    "publicKey": KEY, "message": ID, "signature": SIG, "twin": std(twin(base64.b64decode(SIG))),
    "queryIos": url(KEY.encode()), "queryAndroid": std(KEY.encode()),
    "invalid": [
        {"name": "another challenge", "message": "3a991a14-690c-492b-a5e5-02b9056a4b7e", "signature": SIG},
        {"name": "upper case id", "message": ID.upper(), "signature": SIG},
        {"name": "line feed after the id", "message": ID + "\n", "signature": SIG},
        {"name": "another key's signature", "message": ID, "signature": std(sign(phone, ID))},
    ],
})

# --- removal windows ---------------------------------------------------------------------------------------------------
T = 2992401 * 600
removal = {"publicKey": std(spki(phone)), "windows": [], "signatures": []}
for t in (0, 599, 600, T - 1, T, T + 599, T + 600):
    removal["windows"].append({"unix": t, "message": f"{t // 600}.0"})
for name, text in (("current", "2992401.0"), ("previous", "2992400.0"), ("next", "2992402.0"), ("two before", "2992399.0"),
                   ("two after", "2992403.0"), ("integer", "2992401"), ("two decimals", "2992401.00"), ("exponent", "2.992401E6")):
    removal["signatures"].append({"name": name, "unix": T + 300, "signed": text, "signature": std(sign(phone, text)),
                                  "valid": name in ("current", "previous", "next")})
write("removal", removal)

# --- context -----------------------------------------------------------------------------------------------------------
TENANT, ISS, CRED = "5e1eebc0-31c5-42db-b86f-3981f0081ac6", "https://mfa.example.com", "cred-07"
draft = {
    "tenant": TENANT, "challenge": ID, "action": "withdrawal", "idempotencyKey": "k1", "user": "auth0|u1",
    "level": "possession", "createdAt": "2026-03-01T10:00:00Z", "expiresAt": "2026-03-01T10:02:00Z",
    "origin": {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0\u200b (X11; Linux x86_64)", "device": "Firefox on Linux",
               "place": {"country": "FR", "region": None, "city": "Orléans"}},
    "custom": '{"payee":"Ann Lee","amount":{"value":"20.00","currency":"EUR"},"till":12.50,"gift":true}',
    "bind": [["amount", "20.00 EUR"], ["payee", "Ann Lee"]], "show": [["note", "Orle\u0301ans → Аnn"]],
}
# The text itself, written out: one order of members, no white space, NFC, digits as they came.
text = ('{"version":2,"tenant":"%s","challenge":"%s","action":"withdrawal","idempotencyKey":"k1","user":"auth0|u1",'
        '"level":"possession","origin":{"ip":"203.0.113.9","country":"FR","region":null,"city":"Orléans",'
        '"device":"Firefox on Linux","userAgent":"Mozilla/5.0 (X11; Linux x86_64)"},'
        '"custom":{"amount":{"currency":"EUR","value":"20.00"},"gift":true,"payee":"Ann Lee","till":12.50},'
        '"bind":[{"field":"amount","value":"20.00 EUR"},{"field":"payee","value":"Ann Lee"}],'
        '"show":[{"field":"note","value":"Orléans → Аnn"}],"mixedScript":["/show/note"],'
        '"createdAt":"2026-03-01T10:00:00Z","expiresAt":"2026-03-01T10:02:00Z"}') % (TENANT, ID)
context = text.encode()
# The same at a registered terminal: the origin has one member more, its last.
KIOSK = {"id": "kiosk-7", "name": "Kiosk 7, Gare d’Orléans"}
at_terminal = text.replace('Linux x86_64)"}', 'Linux x86_64)","terminal":{"id":"%s","name":"%s"}}' % (KIOSK["id"], KIOSK["name"]))
frozen = lambda draft, text: {"draft": draft, "text": text, "context": url(text.encode()), "hash": url(sha(text.encode()))}
write("context", {**frozen(draft, text), "terminal": frozen({**draft, "origin": {**draft["origin"], "terminal": KIOSK}}, at_terminal)})

# --- version 2 messages ------------------------------------------------------------------------------------------------
def lines(purpose, *fields):
    return f"stepup/v2/{purpose}\n" + "".join(f"{k}={v}\n" for k, v in fields)

CLAIM, PHONE_NONCE, SERVER_NONCE, TERMINAL_NONCE = bytes(range(16)), bytes([0xA5]) * 16, bytes([0xFB]) * 16, bytes([0x5A]) * 16
CODE = bytes.fromhex("0011223344556677")
TOKEN, BODY = "a.b.c", b'{"x":1}'
cases, of_terminals = [], []
def case(name, purpose, inputs, *fields, by=phone):
    message = lines(purpose, *fields)
    signature = sign(by, message)
    (cases if by is phone else of_terminals).append({"name": name, "purpose": purpose, "inputs": inputs, "message": message, "sha256": url(sha(message.encode())),
                  "signature": std(signature), "twin": std(twin(signature))})
who = (("iss", ISS), ("tenant", TENANT))
for decision, code in (("approve", ""), ("approve", "42"), ("reject", "")):
    case(f"{decision} with code '{code}'", "decide",
         {"issuer": ISS, "tenant": TENANT, "challenge": ID, "credential": CRED, "claim": url(CLAIM), "ctx": url(sha(context)),
          "decision": decision, "code": code},
         *who, ("challenge", ID), ("credential", CRED), ("claim", url(CLAIM)), ("ctx", url(sha(context))),
         ("decision", decision), ("code", code))
for qr in ("", url(CODE)):
    case("claim of a bare id" if qr == "" else "claim of a rolling code", "claim",
         {"issuer": ISS, "tenant": TENANT, "challenge": ID, "credential": CRED, "qr": qr, "nonce": url(PHONE_NONCE)},
         *who, ("challenge", ID), ("credential", CRED), ("qr", qr), ("nonce", url(PHONE_NONCE)))
case("enroll", "enroll", {"issuer": ISS, "tenant": TENANT, "nonce": url(SERVER_NONCE), "publicKey": std(spki(phone)), "token": TOKEN},
     *who, ("nonce", url(SERVER_NONCE)), ("key", url(sha(spki(phone)))), ("token", url(sha(TOKEN.encode()))))
case("remove", "remove", {"issuer": ISS, "tenant": TENANT, "credential": CRED, "nonce": url(SERVER_NONCE)},
     *who, ("credential", CRED), ("nonce", url(SERVER_NONCE)))
case("auth", "auth", {"method": "POST", "path": "/v1/client/challenge", "body": BODY.decode(), "nonce": url(SERVER_NONCE)},
     ("method", "POST"), ("path", "/v1/client/challenge"), ("body", url(sha(BODY))), ("nonce", url(SERVER_NONCE)))
at = (*who, ("terminal", KIOSK["id"]))
for name, token in (("create on an anonymous screen", ""), ("create for a tracked action", TOKEN)):
    case(name, "create", {"issuer": ISS, "tenant": TENANT, "terminal": KIOSK["id"], "action": "cash_withdrawal", "token": token,
                          "server": url(SERVER_NONCE), "nonce": url(TERMINAL_NONCE)},
         *at, ("action", "cash_withdrawal"), ("token", url(sha(token.encode())) if token else ""), ("server", url(SERVER_NONCE)),
         ("nonce", url(TERMINAL_NONCE)), by=terminal)
for channel in ("nfc", "ble", "uwb"):
    case(f"near over {channel}", "near",
         {"issuer": ISS, "tenant": TENANT, "terminal": KIOSK["id"], "challenge": ID, "channel": channel, "nonce": url(PHONE_NONCE)},
         *at, ("challenge", ID), ("channel", channel), ("nonce", url(PHONE_NONCE)), by=terminal)

def refused(good, *others):
    """Texts that the signature of the good one must not fit."""
    message, purpose = good["message"], good["purpose"]
    bad = [{"name": "CRLF line ends", "message": message.replace("\n", "\r\n")},
           {"name": "no last line feed", "message": message[:-1]},
           {"name": "another purpose", "message": message.replace(f"/{purpose}", "/claim", 1)},
           {"name": "another version", "message": message.replace("/v2/", "/v3/", 1)}]
    for field, value in others:
        changed = [f"{field}={value}" if line.startswith(field + "=") else line for line in message.split("\n")]
        bad.append({"name": f"another {field}", "message": "\n".join(changed)})
    return {"signature": good["signature"], "messages": bad}

elsewhere = (("iss", "https://mfa.example.org"), ("tenant", TENANT[:-1] + "7"), ("challenge", ID[:-1] + "e"))
write("messages", {
    "publicKey": std(spki(phone)), "cases": cases,
    "refused": refused(cases[0], *elsewhere, ("credential", "cred-08"), ("claim", url(bytes(16))), ("ctx", url(sha(context + b" "))),
                       ("decision", "reject"), ("code", "1")),
    "terminals": {"publicKey": std(spki(terminal)), "cases": of_terminals,
                  "refused": refused(of_terminals[2], *elsewhere, ("terminal", "kiosk-8"), ("channel", "uwb"), ("nonce", url(CLAIM)))}})

# --- SPKI --------------------------------------------------------------------------------------------------------------
good = spki(phone)
point = good[26:]
def changed(at, value):
    b = bytearray(good); b[at] = value; return bytes(b)
k1, p384 = SigningKey.from_string(bytes([7]) * 32, curve=SECP256k1), SigningKey.from_string(bytes([7]) * 48, curve=NIST384p)
k1_header = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")
p384_header = bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200")
x, y = point[1:33], point[33:]
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
table = [("a good key", good, "ok"), ("the wire document's key", base64.b64decode(KEY), "ok"),
         ("the other y of the same x", good[:59] + (P - int.from_bytes(y, "big")).to_bytes(32, "big"), "ok"),
         ("nothing", b"", "Length"), ("one byte short", good[:-1], "Length"), ("one byte more", good + b"\0", "Length"),
         ("twice", good + good, "Length"), ("the point alone", point, "Length"), ("raw x and y", point[1:], "Length"),
         ("a compressed point", HEADER[:1] + b"\x39" + HEADER[2:23] + b"\x03\x22\x00\x02" + x, "Length"),
         ("a compressed point padded to 91 bytes", HEADER + b"\x02" + x + bytes(32), "PointFormat"),
         ("compressed odd padded", HEADER + b"\x03" + x + bytes(32), "PointFormat"),
         ("hybrid even", HEADER + b"\x06" + x + y, "PointFormat"), ("hybrid odd", HEADER + b"\x07" + x + y, "PointFormat"),
         ("format byte 00", HEADER + b"\x00" + x + y, "PointFormat"),
         ("infinity in one byte", bytes.fromhex("301906072a8648ce3d020106082a8648ce3d030107030200") + b"\0", "Length"),
         ("infinity padded", HEADER + bytes(65), "PointFormat"),
         ("x = y = 0", HEADER + b"\x04" + bytes(64), "OffCurve"), ("x = y = 1", HEADER + b"\x04" + bytes(31) + b"\1" + bytes(31) + b"\1", "OffCurve"),
         ("x and y swapped", HEADER + b"\x04" + y + x, "OffCurve"), ("y plus one", changed(90, good[90] ^ 1), "OffCurve"),
         ("x of another key", HEADER + b"\x04" + spki(private(8))[27:59] + y, "OffCurve"),
         ("x = p", HEADER + b"\x04" + P.to_bytes(32, "big") + y, "OffCurve"), ("y = p", HEADER + b"\x04" + x + P.to_bytes(32, "big"), "OffCurve"),
         ("all ones", HEADER + b"\x04" + b"\xff" * 64, "OffCurve"),
         ("a point of secp256k1 under the P-256 header", HEADER + b"\x04" + k1.verifying_key.to_string(), "OffCurve"),
         ("secp256k1", k1_header + b"\x04" + k1.verifying_key.to_string(), "Length"),
         ("P-384", p384_header + b"\x04" + p384.verifying_key.to_string(), "Length"),
         ("Ed25519", bytes.fromhex("302a300506032b6570032100") + bytes([7]) * 32, "Length"),
         ("outer tag SET", changed(0, 0x31), "Algorithm"), ("outer length short", changed(1, 0x58), "Algorithm"),
         ("outer length long form", b"\x30\x81\x59" + good[2:], "Length"), ("id-ecDH", changed(10, 0x70), "Algorithm"),
         ("curve prime256v1 with the last arc changed", changed(22, 0x06), "Algorithm"),
         ("explicit NULL parameters", changed(13, 0x05), "Algorithm"), ("unused bits 1", changed(25, 1), "Algorithm"),
         ("OCTET STRING for BIT STRING", changed(23, 0x04), "Algorithm"), ("inner length changed", changed(24, 0x41), "Algorithm"),
         ("indefinite length", changed(1, 0x80), "Algorithm"), ("91 zero bytes", bytes(91), "Algorithm"),
         ("91 bytes of 0xff", b"\xff" * 91, "Algorithm"), ("PEM text", b"-----BEGIN PUBLIC KEY-----\n", "Length")]
texts = [("unpadded base64", KEY.rstrip("="), "Encoding"), ("base64url", std(good).replace("+", "-").replace("/", "_") if set("+/") & set(std(good)) else KEY.replace("+", "-"), "Encoding"),
         ("a line break inside", KEY[:64] + "\n" + KEY[64:], "Encoding"), ("a space before", " " + KEY, "Encoding"),
         ("escaped slashes left in", KEY[:60] + "\\/" + KEY[60:], "Encoding"), ("padding missing by one", KEY[:-1], "Encoding"),
         ("trailing bits set", KEY[:-3] + "h==", "Encoding"), ("encoded twice", std(KEY.encode()), "Length"), ("empty", "", "Length"), ("far too long", "A" * 1_000, "Length")]
unurl = lambda t: base64.urlsafe_b64decode(t + "=" * (-len(t) % 4))
whole = lambda n: SigningKey.from_secret_exponent(n, curve=NIST256p)
published = [("the generator, whose private key is one", spki(whole(1))), ("the generator's other y", spki(whole(N - 1))),
             ("the key of RFC 6979 A.2.5", spki(whole(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721))),
             ("the key of RFC 7515 A.3", spki(whole(int.from_bytes(unurl("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "big")))),
             ("the key of RFC 7517 A.1", HEADER + b"\x04" + unurl("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4") + unurl("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"))]
write("spki", [{"name": n, "text": std(b), "expect": e} for n, b, e in table] + [{"name": n, "text": t, "expect": e} for n, t, e in texts]
      + [{"name": n, "text": std(b), "expect": "Published"} for n, b in published])

# --- DER signatures ----------------------------------------------------------------------------------------------------
ok = sign(phone, ID)
r, s = numbers(ok)
R, S = integer(r), integer(s)
seq = lambda body: bytes([0x30, len(body)]) + body
table = [("RFC 6979", ok, "ok"), ("its twin", twin(ok), "ok"), ("r = s = 1", der(1, 1), "ok"), ("r = s = n-1", der(N - 1, N - 1), "ok"),
         ("r = 127", der(127, s), "ok"), ("r = 128", der(128, s), "ok"), ("r = 2^255", der(2**255, s), "ok"),
         ("nothing", b"", "Der"), ("only a tag", b"\x30", "Der"), ("empty sequence", b"\x30\0", "Der"), ("one integer", seq(R), "Der"),
         ("three integers", seq(R + S + S), "Der"), ("trailing byte", ok + b"\0", "Der"), ("trailing byte inside", seq(R + S + b"\0"), "Der"),
         ("cut short", ok[:-1], "Der"), ("SET for SEQUENCE", b"\x31" + ok[1:], "Der"), ("OCTET STRING for r", seq(b"\x04" + R[1:] + S), "Der"),
         ("OCTET STRING for s", seq(R + b"\x04" + S[1:]), "Der"), ("BER long-form length", b"\x30\x81" + ok[1:], "Der"),
         ("BER two-byte length", b"\x30\x82\0" + ok[1:], "Der"), ("indefinite length", b"\x30\x80" + ok[2:] + b"\0\0", "Der"),
         ("long-form length of r", seq(b"\x02\x81" + R[1:] + S), "Der"), ("outer length too long", bytes([0x30, ok[1] + 1]) + ok[2:], "Der"),
         ("outer length too short", bytes([0x30, ok[1] - 1]) + ok[2:], "Der"), ("r's length too long", seq(b"\x02\x7f" + R[2:] + S), "Der"),
         ("empty r", seq(b"\x02\0" + S), "Der"), ("empty s", seq(R + b"\x02\0"), "Der"),
         ("negative r", seq(b"\x02\x01\x80" + S), "Der"), ("negative s", seq(R + b"\x02\x01\xff"), "Der"),
         ("r without its sign byte", seq(b"\x02\x20" + b"\xf0" + bytes(31) + S), "Der"),
         ("padded r", seq(b"\x02\x02\0\x01" + S), "Der"), ("padded s", seq(R + b"\x02\x02\0\x7f"), "Der"),
         ("doubly padded r", seq(b"\x02\x03\0\0\xff" + S), "Der"), ("zero in two bytes", seq(b"\x02\x02\0\0" + S), "Der"),
         ("r = 0", der(0, s), "Range"), ("s = 0", der(r, 0), "Range"), ("both 0", der(0, 0), "Range"), ("r = n", der(N, s), "Range"), ("s = n", der(r, N), "Range"),
         ("r = n+1", der(N + 1, s), "Range"), ("s = 2^256-1", der(r, 2**256 - 1), "Range"), ("r = 2^256", der(2**256, s), "Range"),
         ("r of 40 bytes", der(2**319, s), "Range"), ("raw r and s", r.to_bytes(32, "big") + s.to_bytes(32, "big"), "Der"),
         ("64 zero bytes", bytes(64), "Der"), ("a text", b"signature", "Der")]
write("der", {"publicKey": std(spki(phone)), "message": ID, "table": [{"name": n, "der": std(b), "expect": e} for n, b, e in table]})

# --- signed rolling QR -------------------------------------------------------------------------------------------------
seed, master, kid, expires = bytes([7]) * 32, bytes([9]) * 32, 3, 1772359320
ed = Ed25519PrivateKey.from_private_bytes(seed)
cid = bytes.fromhex(ID.replace("-", ""))
signed = bytes([1, kid]) + cid + expires.to_bytes(4, "big") + b"\0"
static = signed + ed.sign(signed)
rolling = hmac.digest(master, b"stepup/qr/v1\n" + cid, "sha256")
codes = {str(step): url(hmac.digest(rolling, step.to_bytes(2, "big"), "sha256")[:8]) for step in (0, 1, 2, 40)}
payload = static + (2).to_bytes(2, "big") + hmac.digest(rolling, b"\0\2", "sha256")[:8]
write("qr", {"seed": seed.hex(), "pkcs8": std(bytes.fromhex("302e020100300506032b657004220420") + seed), "publicKey": url(ed.public_key().public_bytes_raw()), "kid": kid,
             "master": master.hex(), "challenge": ID, "issuer": ISS, "expires": expires, "flags": 0, "codes": codes, "step": 2, "url": f"{ISS}/q/{url(payload)}"})

# --- text that may or may not be shown ---------------------------------------------------------------------------------
write("text", [{"name": n, "text": t, "expect": e, **({"shown": w} if w else {})} for n, t, e, w in [
    ("plain", "Ann Lee", "ok", None), ("empty", "", "ok", None), ("accents", "Zoë Müller-Łukasz", "ok", None), ("decomposed becomes NFC", "Zoe\u0308", "ok", "Zoë"),
    ("Chinese", "北京饭店", "ok", None), ("Japanese in three scripts", "東京タワーのカフェ", "ok", None), ("Korean with Han", "서울 中央", "ok", None),
    ("Arabic", "محمد علي", "ok", None), ("Hebrew with points", "שָׁלוֹם", "ok", None), ("Thai", "กรุงเทพฯ", "ok", None), ("Devanagari", "नमस्ते", "ok", None),
    ("money", "20.00 EUR → 1 234,50 €", "ok", None), ("no-break space", "1\u00a0234", "ok", None), ("emoji", "Café ☕", "ok", None), ("140 characters", "x" * 140, "ok", None),
    ("140 characters that were 280", "e\u0301" * 140, "ok", "é" * 140),
    ("Cyrillic A in a Latin name", "Аnn Lee", "mixed", None), ("Greek o in a Latin name", "Gοogle", "mixed", None), ("Cyrillic and Latin words", "Bank Банк", "mixed", None),
    ("141 characters", "x" * 141, "TooLong", None), ("far too long", "x" * 5_000, "TooLong", None),
    ("NUL", "a\0b", "Control", None), ("line feed", "Ann\nLee", "Control", None), ("carriage return", "Ann\rLee", "Control", None), ("tab", "a\tb", "Control", None),
    ("escape", "\x1b[2J", "Control", None), ("delete", "a\x7f", "Control", None), ("C1 control", "a\x85b", "Control", None), ("line separator", "a\u2028b", "Control", None),
    ("paragraph separator", "a\u2029b", "Control", None), ("private use", "a\ue000", "Control", None), ("replacement character", "a\ufffd", "Control", None), ("noncharacter", "a\ufdd0", "Control", None),
    ("right-to-left override", "Ann \u202eeeL", "Bidi", None), ("left-to-right override", "a\u202db", "Bidi", None), ("embedding", "a\u202ab", "Bidi", None), ("isolate", "a\u2067b\u2069", "Bidi", None),
    ("right-to-left mark", "a\u200fb", "Bidi", None), ("Arabic letter mark", "a\u061cb", "Bidi", None),
    ("zero-width space", "Ann\u200bLee", "Invisible", None), ("zero-width joiner", "Ann\u200dLee", "Invisible", None), ("zero-width non-joiner", "a\u200cb", "Invisible", None),
    ("byte order mark", "\ufeffAnn", "Invisible", None), ("word joiner", "a\u2060b", "Invisible", None), ("soft hyphen", "Ann\u00adLee", "Invisible", None),
    ("grapheme joiner", "a\u034fb", "Invisible", None), ("Hangul filler", "\u3164", "Invisible", None), ("blank Braille", "a\u2800b", "Invisible", None),
    ("variation selector", "a\ufe0f", "Invisible", None), ("tag characters", "a\U000e0041", "Invisible", None), ("invisible times", "2\u20622", "Invisible", None),
    ("a tower of marks", "A" + "\u0334\u0335\u0336\u0337", "Marks", None)]])

# --- webhooks ----------------------------------------------------------------------------------------------------------
def webhook(secrets, t, body):
    def one(secret):
        return std(hmac.new(secret.encode(), f"{t}.{body}".encode(), hashlib.sha256).digest()).rstrip("=")
    return ",".join([f"t={t}", *(f"v2={one(secret)}" for secret in secrets)])

NEW, OLD = "sk_test_new_0123456789", "sk_test_old_0123456789"
T = 1772359200
BODY = json.dumps({"version": 1, "type": "challenge.approved", "id": "019ca8f2-5b00-7000-8000-000000000001",
                   "source": "https://mfa.example.com", "time": "2026-03-01T10:00:00.000Z", "tenantId": "acme",
                   "data": {"challengeId": "3a991a14-690c-492b-a5e5-02b9056a4b7d", "userId": "Zoë/λ", "state": "approved"}},
                  ensure_ascii=False, separators=(",", ":"))
SIGNED = webhook([NEW], T, BODY)
signed = [{"name": "one secret", "secrets": [NEW], "t": T, "body": BODY, "header": SIGNED},
          {"name": "two secrets, while one is changed", "secrets": [NEW, OLD], "t": T, "body": BODY, "header": webhook([NEW, OLD], T, BODY)},
          {"name": "an empty body", "secrets": [NEW], "t": T, "body": "", "header": webhook([NEW], T, "")}]
flip = lambda text, at: text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1:]
case = lambda name, header, expect, secret=NEW, body=BODY, now=T, **more: {
    "name": name, "secret": secret, "header": header, "body": body, "now": now, "expect": expect, **more}
write("webhook", {"signed": signed, "received": [
    case("as it was sent", SIGNED, "ok"),
    case("the new secret of two", webhook([NEW, OLD], T, BODY), "ok"),
    case("the old secret of two", webhook([NEW, OLD], T, BODY), "ok", secret=OLD),
    case("parts in another order, and one that is not known", f"v1=x,{SIGNED.split(',')[1]},t={T}", "ok"),
    case("five minutes later", SIGNED, "ok", now=T + 300),
    case("a second after that", SIGNED, "stale", now=T + 301),
    case("any time later, if the receiver does not ask", SIGNED, "ok", now=T + 10**6, tolerance=0),
    case("five minutes early", SIGNED, "ok", now=T - 300),
    case("a second before that", SIGNED, "future", now=T - 301),
    case("one bit of the body", SIGNED, "mismatch", body=flip(BODY, 30)),
    case("one bit of the signature", flip(SIGNED, len(SIGNED) - 7), "mismatch"),
    case("another time", SIGNED.replace(str(T), str(T + 1)), "mismatch"),
    case("another secret", SIGNED, "mismatch", secret=OLD),
    case("a signature with padding", SIGNED + "=", "mismatch"),
    case("no time", SIGNED.split(",")[1], "malformed"),
    case("no signature", f"t={T}", "malformed"),
    case("a signature of another version", SIGNED.replace("v2=", "v1="), "malformed"),
    case("a time that is none", SIGNED.replace(f"t={T}", "t=x"), "malformed"),
    case("nothing", "", "malformed"),
]})
