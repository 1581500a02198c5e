// The shared vectors: the same files that the server's own tests read.

import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, createSign, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mock, test } from 'node:test';
import { fromBase64, fromBase64Url, textOf, toBase64, toBase64Url, utf8 } from '../dist/esm/shared/bytes.js';
import { contextIn, keyInQuery } from '../dist/esm/mobile/credential.js';
import { verifyEd25519 } from '../dist/esm/mobile/ed25519.js';
import { checkDer, checkSpki, derOf, KeyError, spkiOf } from '../dist/esm/shared/keys.js';
import { message, removalWindow } from '../dist/esm/shared/messages.js';
import { scannedIn } from '../dist/esm/mobile/scanned.js';
import { shown, TextError } from '../dist/esm/mobile/text.js';
import { InvalidSignatureError, Webhook } from '../dist/esm/server/index.js';
import { TerminalMessages } from '../dist/esm/web/terminal.js';
import { sha256 } from '../dist/esm/shared/sha256.js';
import { sha512 } from '../dist/esm/shared/sha512.js';

const vectors = (name) => JSON.parse(readFileSync(new URL(`../../challenge/vectors/${name}.json`, import.meta.url), 'utf8'));
const publicKey = (text) => createPublicKey({ key: Buffer.from(checkSpki(fromBase64(text))), format: 'der', type: 'spki' });
const fits = (key, text, signature) => verify('sha256', utf8(text), publicKey(key), checkDer(fromBase64(signature)));
const verdict = (work) => {
  try {
    work();
    return 'ok';
  } catch (error) {
    return error instanceof KeyError ? error.reason : 'Encoding';
  }
};

test('every version 2 message has the bytes, the hash and a signature that fits', () => {
  const { terminals, ...phones } = vectors('messages');
  const hash = (text) => toBase64Url(sha256(utf8(text)));
  const compared = {};
  for (const { publicKey: key, cases, refused } of [phones, terminals]) {
    for (const { name, purpose, inputs, message: expected, sha256: digest, signature, twin } of cases) {
      const values = { iss: inputs.issuer, ...inputs };
      if (purpose === 'enroll') Object.assign(values, { key: toBase64Url(sha256(fromBase64(inputs.publicKey))), token: hash(inputs.token) });
      if (purpose === 'auth') values.body = hash(inputs.body);
      if (purpose === 'create' && inputs.token !== '') values.token = hash(inputs.token);
      const text = message(purpose, values);
      assert.equal(text, expected, name);
      assert.equal(hash(text), digest, name);
      assert.ok(fits(key, text, signature) && fits(key, text, twin), name);
      compared[purpose] = (compared[purpose] ?? 0) + 1;
    }
    for (const { name, message: other } of refused.messages) assert.ok(!fits(key, other, refused.signature), name);
  }
  assert.deepEqual(compared, { decide: 3, claim: 2, enroll: 1, remove: 1, auth: 1, create: 2, near: 3 });
});

test('a terminal signs what the vectors say, for its nonce and for no other question', async () => {
  const { cases } = vectors('messages').terminals;
  const signed = [];
  const terminal = { id: cases[0].inputs.terminal, sign: async (bytes) => { signed.push(textOf(bytes)); return fromBase64(cases[0].signature); } };
  let asked = 0;
  for (const { name, purpose, inputs, message: expected } of cases) {
    const { issuer, tenant, server, action, challenge, channel, nonce, token } = inputs;
    const messages = new TerminalMessages(tenant, async () => { asked += 1; return { nonce: server, issuer }; });
    signed.length = 0;
    if (purpose === 'near') {
      assert.equal(await messages.near(terminal, { challengeId: challenge, nonce, channel }), cases[0].signature, name);
      assert.deepEqual(signed, [expected], name);
      for (const other of ['', nonce.slice(1), `${nonce}A`, `${nonce}==`, `${nonce.slice(0, 21)}\n`, undefined, 7]) {
        await assert.rejects(messages.near(terminal, { challengeId: challenge, nonce: other, channel }), { errorCode: 'invalid_request' }, String(other));
      }
      await assert.rejects(messages.near(terminal, { challengeId: challenge, nonce, channel: 'wifi' }), { errorCode: 'invalid_request' });
      assert.equal(signed.length, 1, name);
    } else {
      const first = await messages.create(terminal, action, token || undefined);
      const second = await messages.create(terminal, action, token || undefined);
      assert.deepEqual([first.terminalId, first.serverNonce, first.signature], [terminal.id, server, cases[0].signature], name);
      assert.equal(fromBase64Url(first.nonce).length, 16);
      assert.notEqual(first.nonce, second.nonce, name);
      assert.deepEqual(signed, [first, second].map((one) => expected.replace(nonce, one.nonce)), name);
    }
  }
  assert.equal(asked, cases.length, 'the nonce is kept');
});

test('a nonce for terminals is kept, and had anew when it is not good or could not be had', async () => {
  let asked = 0;
  const { cases } = vectors('messages').terminals;
  const terminal = { id: 'k', sign: async () => fromBase64(cases[0].signature) };
  const messages = new TerminalMessages('t', async () => {
    asked += 1;
    if (asked === 2) throw new Error('the network is gone');
    return { nonce: `nonce-${asked}`, issuer: 'i' };
  });
  const used = async () => (await messages.create(terminal, 'a')).serverNonce;
  assert.deepEqual([await used(), await used()], ['nonce-1', 'nonce-1']);
  messages.renew();
  await assert.rejects(used(), /the network is gone/);
  assert.deepEqual([await used(), await used()], ['nonce-3', 'nonce-3']);
  await assert.rejects(new TerminalMessages('t', async () => ({ nonce: 'n', issuer: 'i' })).create({ id: 'k', sign: async () => new Uint8Array(64) }, 'a'), KeyError);
  await assert.rejects(messages.create({ ...terminal, id: 'k\nnonce=x' }, 'a'), /cannot hold/);
});

test('a value cannot break out of its line', () => {
  for (const nonce of ['a\nb', 'a b', 'é', 'a\r']) assert.throws(() => message('remove', { iss: 'i', tenant: 't', credential: 'c', nonce }));
});

test('the context keeps its bytes', () => {
  const { terminal: atTerminal, ...plain } = vectors('context');
  const { text, context, draft: { tenant, challenge } } = plain;
  for (const frozen of [plain, atTerminal]) {
    assert.equal(textOf(fromBase64Url(frozen.context)), frozen.text);
    assert.equal(toBase64Url(sha256(fromBase64Url(frozen.context))), frozen.hash);
    assert.equal(toBase64Url(utf8(frozen.text)), frozen.context);
    const read = contextIn(frozen.context, challenge, { tenant });
    assert.equal(read.contextHash, frozen.hash);
    assert.deepEqual(read.context, JSON.parse(frozen.text));
    assert.deepEqual(read.context.origin.terminal, frozen.draft.origin.terminal);
  }
  assert.throws(() => contextIn(context, challenge.replace('3', '4'), { tenant }), { errorCode: 'invalid_answer' });
  assert.throws(() => contextIn(context, challenge, { tenant: 'another' }), { errorCode: 'invalid_answer' });
  // What a phone shows is fit to be shown, whoever froze it; and where scripts are mixed, the phone sees it by itself.
  const forged = (change) => toBase64Url(utf8(JSON.stringify({ ...JSON.parse(text), ...change })));
  assert.throws(() => contextIn(forged({ bind: [{ field: 'payee', value: 'Ann \u202eeeL' }] }), challenge, { tenant }), TextError);
  assert.throws(() => contextIn(forged({ origin: { ...JSON.parse(text).origin, terminal: { id: 'k', name: 'Kiosk \u202e7' } } }), challenge, { tenant }), TextError);
  assert.deepEqual(contextIn(forged({ mixedScript: [] }), challenge, { tenant }).context.mixedScript, ['/show/note']);
});

test('the signed rolling code is read as the server reads it, and refused before anything is sent', () => {
  const { url, issuer, kid, publicKey: pinned, challenge, codes, step, expires } = vectors('qr');
  const keys = [{ kid: kid + 1, publicKey: toBase64Url(new Uint8Array(32)) }, { kid, publicKey: pinned }];
  const last = expires * 1000 - 1;
  assert.deepEqual(scannedIn(url, issuer, keys, last), { challenge, code: codes[step] });
  assert.deepEqual(scannedIn(url, `${issuer}/`, keys, 0), { challenge, code: codes[step] });
  assert.throws(() => scannedIn(url, issuer, keys, last + 1), { errorCode: 'challenge_expired' });
  const payload = fromBase64Url(url.slice(issuer.length + 3));
  for (const place of [...payload.keys()].filter((place) => place < 87)) {
    const changed = Uint8Array.from(payload);
    changed[place] ^= 1;
    assert.throws(() => scannedIn(`${issuer}/q/${toBase64Url(changed)}`, issuer, keys, 0), { errorCode: 'invalid_qr_code' }, `byte ${place}`);
  }
  for (const text of [url.replace('mfa', 'evil'), `${url}A`, url.slice(0, -2), `${url}=`, `${issuer}/q/`, url.replace('/q/', '/Q/')]) {
    assert.throws(() => scannedIn(text, issuer, keys, 0), { errorCode: 'invalid_qr_code' }, text);
  }
  assert.throws(() => scannedIn(url, issuer, [], 0), { errorCode: 'invalid_qr_code' });
});

test('every text has its verdict before it is shown to a person', () => {
  const table = vectors('text');
  for (const { name, text, expect, shown: composed } of table) {
    let verdict;
    try {
      const result = shown(text);
      assert.equal(result.text, composed ?? text, name);
      verdict = result.mixedScript ? 'mixed' : 'ok';
    } catch (error) {
      if (!(error instanceof TextError)) throw error;
      verdict = error.reason;
    }
    assert.equal(verdict, expect, name);
  }
  assert.ok(table.length > 50);
});

test('Ed25519 and SHA-512 agree with Node, and no other spelling of a signature is taken', () => {
  const L = (1n << 252n) + 27742317777372353535851937790883648493n;
  for (let round = 0; round < 20; round += 1) {
    const { publicKey: key, privateKey } = generateKeyPairSync('ed25519');
    const raw = new Uint8Array(key.export({ type: 'spki', format: 'der' }).subarray(-32));
    const text = utf8('x'.repeat(round * 13));
    const signature = new Uint8Array(sign(null, text, privateKey));
    assert.ok(verifyEd25519(raw, text, signature));
    for (const [place, bytes] of [[0, raw], [31, raw], [5, signature], [40, signature]]) {
      const changed = Uint8Array.from(bytes);
      changed[place] ^= 0x10;
      assert.ok(!(bytes === raw ? verifyEd25519(changed, text, signature) : verifyEd25519(raw, text, changed)), `round ${round}`);
    }
    // The same scalar, once around the group.
    let scalar = L;
    for (let place = 63; place >= 32; place -= 1) scalar += BigInt(signature[place]) << BigInt(8 * (place - 32));
    const around = Uint8Array.from(signature);
    for (let place = 32; place < 64; place += 1) around[place] = Number((scalar >> BigInt(8 * (place - 32))) & 255n);
    assert.ok(!verifyEd25519(raw, text, around));
    assert.ok(!verifyEd25519(raw, text, signature.subarray(1)) && !verifyEd25519(raw.subarray(1), text, signature));
  }
  for (let length = 0; length < 260; length += 7) {
    const bytes = Uint8Array.from({ length }, (_, place) => (place * 31 + length) & 0xff);
    assert.equal(Buffer.from(sha512(bytes)).toString('hex'), createHash('sha512').update(bytes).digest('hex'), `${length} bytes`);
  }
});

test('version 1: the id, and the window of a removal', () => {
  const { publicKey: key, message: id, signature, twin, invalid, queryAndroid, queryIos } = vectors('compat');
  assert.equal(keyInQuery(key), queryAndroid);
  assert.equal(textOf(fromBase64Url(queryIos)), key);
  assert.ok(fits(key, id, signature) && fits(key, id, twin));
  for (const bad of invalid) assert.ok(!fits(key, bad.message, bad.signature), bad.name);
  for (const { unix, message: expected } of vectors('removal').windows) assert.equal(removalWindow(unix), expected);
});

test('every webhook has its verdict', () => {
  mock.timers.enable({ apis: ['Date'] });
  const { signed, received } = vectors('webhook');
  for (const { name, secrets, t, body, header } of signed.filter(({ body: text }) => text !== '')) {
    mock.timers.setTime(t * 1000);
    for (const secret of secrets) assert.deepEqual(new Webhook(secret).constructEvent(body, header), JSON.parse(body), name);
  }
  for (const { name, secret, header, body, now, expect, tolerance } of received) {
    mock.timers.setTime(now * 1000);
    const verdict = () => {
      try {
        return new Webhook(secret).constructEvent(body, header, tolerance).version === 1 ? 'ok' : 'odd';
      } catch (error) {
        return error instanceof InvalidSignatureError ? error.reason : String(error);
      }
    };
    assert.equal(verdict(), expect, name);
  }
  mock.timers.reset();
});

test('every key and every signature has its verdict', () => {
  for (const { name, text, expect } of vectors('spki')) assert.equal(verdict(() => checkSpki(fromBase64(text))), expect, name);
  for (const { name, der, expect } of vectors('der').table) assert.equal(verdict(() => checkDer(fromBase64(der))), expect, name);
});

test('a phone is named by the thumbprint of its key, and the point alone is enough', () => {
  for (const { publicKey: key, thumbprint } of vectors('phones')) {
    const spki = fromBase64(key);
    assert.equal(toBase64Url(sha256(spki)), thumbprint);
    assert.deepEqual(spkiOf(spki.slice(26)), spki);
  }
});

test('r and s side by side become the DER that OpenSSL reads', () => {
  const [{ private: secret, publicKey: key }] = vectors('phones');
  const { x, y } = publicKey(key).export({ format: 'jwk' });
  const signer = createPrivateKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x, y, d: Buffer.from(secret, 'hex').toString('base64url') } });
  for (let round = 0; round < 300; round += 1) {
    const raw = createSign('sha256').update(`round ${round}`).sign({ key: signer, dsaEncoding: 'ieee-p1363' });
    assert.ok(fits(key, `round ${round}`, toBase64(derOf(raw))));
  }
});

test('SHA-256, base64 and UTF-8 agree with Node for every length', () => {
  for (let length = 0; length < 300; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, place) => (place * 167 + length) & 0xff);
    assert.equal(Buffer.from(sha256(bytes)).toString('hex'), createHash('sha256').update(bytes).digest('hex'));
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'));
    assert.deepEqual(fromBase64Url(toBase64Url(bytes)), bytes);
  }
  for (const text of ['', 'Zoë', '東京', '😀', '% 100']) assert.deepEqual(textOf(Buffer.from(text)), text);
  assert.throws(() => textOf(Uint8Array.of(0xc3)));
});
