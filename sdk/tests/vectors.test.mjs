// The shared vectors: the same files that the server's own tests read.

import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, createSign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mock, test } from 'node:test';
import { fromBase64, fromBase64Url, textOf, toBase64, toBase64Url, utf8 } from '../dist/esm/shared/bytes.js';
import { checkDer, checkSpki, derOf, KeyError, spkiOf } from '../dist/esm/mobile/keys.js';
import { message, removalWindow } from '../dist/esm/mobile/messages.js';
import { InvalidSignatureError, Webhook } from '../dist/esm/server/index.js';
import { sha256 } from '../dist/esm/shared/sha256.js';

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
  const { publicKey: key, cases, refused } = vectors('messages');
  let compared = 0;
  // No phone call of this server is signed with `auth`, so the package has no such message.
  for (const { name, purpose, inputs, message: expected, sha256: digest, signature, twin } of cases.filter(({ purpose }) => purpose !== 'auth')) {
    const values = { iss: inputs.issuer, ...inputs };
    if (purpose === 'enroll') Object.assign(values, { key: toBase64Url(sha256(fromBase64(inputs.publicKey))), token: toBase64Url(sha256(utf8(inputs.token))) });
    const text = message(purpose, values);
    assert.equal(text, expected, name);
    assert.equal(toBase64Url(sha256(utf8(text))), digest, name);
    assert.ok(fits(key, text, signature) && fits(key, text, twin), name);
    compared += 1;
  }
  assert.equal(compared, 7);
  for (const { name, message: other } of refused.messages) assert.ok(!fits(key, other, refused.signature), name);
});

test('a value cannot break out of its line', () => {
  for (const nonce of ['a\nb', 'a b', 'é', 'a\r']) assert.throws(() => message('remove', { iss: 'i', tenant: 't', credential: 'c', nonce }));
});

test('the context keeps its bytes', () => {
  const { text, context, hash } = vectors('context');
  assert.equal(textOf(fromBase64Url(context)), text);
  assert.equal(toBase64Url(sha256(fromBase64Url(context))), hash);
  assert.equal(toBase64Url(utf8(text)), context);
});

test('version 1: the id, and the window of a removal', () => {
  const { publicKey: key, message: id, signature, twin, invalid } = vectors('compat');
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
