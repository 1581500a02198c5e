// The key that signs rolling codes changes while phones are in people's pockets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stepup } from 'stepup-sdk/server';
import { run, withDemo } from '../../tests/e2e/harness.mjs';
import { enrolledPhone, kiosk } from './support.mjs';

let demo;
let stepup;

withDemo(Stepup, (started, backend) => { [demo, stepup] = [started, backend]; });

/** What a kiosk draws now: the signed link of a fresh challenge, and the number of the key in it. */
async function drawn() {
  const headers = { Authorization: `Basic ${btoa(demo.tenantId)}`, 'Content-Type': 'application/json' };
  const made = await fetch(`${demo.baseUrl}/client/challenge/qr-code`, { method: 'POST', headers, body: JSON.stringify({ action: 'kiosk_login', rollingQr: true }) });
  const answer = await made.json();
  assert.equal(made.status, 200, answer.errorDescription);
  const { url } = answer.qr.steps[0];
  return { url, kid: Buffer.from(url.split('/q/')[1], 'base64url')[1] };
}

/** Runs something and answers how often the network was asked for what. */
async function asking(work) {
  const { fetch: real } = globalThis;
  const asked = [];
  globalThis.fetch = (url, options) => {
    asked.push(`${options?.method ?? 'GET'} ${new URL(url).pathname.replace(/^\/v1\/client\/(user-authenticators\/)?/, '')}`);
    return real(url, options);
  };
  try {
    return { answer: await work(), asked };
  } finally {
    globalThis.fetch = real;
  }
}

test('a phone that was not used meanwhile asks its server once for the new key, and one that was used has it', async () => {
  const [idle, busy] = [await enrolledPhone(demo, stepup, 'idle'), await enrolledPhone(demo, stepup, 'busy')];
  const rotated = run('keys', 'rotate', '--qr', '--after', '2s', '--data', demo.data);
  assert.equal(rotated.code, 0, rotated.err);
  demo.child.kill('SIGHUP');
  // Any claim says what comes.
  const read = async () => (await busy.qrCode.claimChallenge({ challengeId: (await kiosk(demo)).challengeId })).errorCode;
  const deadline = Date.now() + 30_000;
  for (let kid = 1; kid !== 2; { kid } = await drawn()) {
    await read();
    assert.ok(Date.now() < deadline, 'the service does not read its new key');
    await new Promise((done) => { setTimeout(done, 500); });
  }

  const { url } = await drawn();
  const known = await asking(() => busy.qrCode.claimChallenge({ challengeId: url }));
  assert.equal(known.answer.errorCode, undefined, known.answer.errorDescription);
  assert.deepEqual(known.asked, ['POST qr-code/challenge/claim']);

  const first = await drawn();
  const asks = await asking(() => idle.qrCode.claimChallenge({ challengeId: first.url }));
  assert.equal(asks.answer.errorCode, undefined, asks.answer.errorDescription);
  assert.deepEqual(asks.asked, ['GET qr-code', 'POST qr-code/challenge/claim']);
  assert.equal((await idle.qrCode.updateChallenge({ challengeId: first.url, approved: true })).data, true);
  const second = await drawn();
  const knows = await asking(() => idle.qrCode.claimChallenge({ challengeId: second.url }));
  assert.deepEqual([knows.answer.errorCode, knows.asked.length], [undefined, 1]);

  // Whoever makes up a number gains nothing: the server is asked, knows no such key, and the code is foreign.
  const forged = Buffer.from(second.url.split('/q/')[1], 'base64url');
  forged[1] = 9;
  const text = `${second.url.split('/q/')[0]}/q/${forged.toString('base64url')}`;
  const foreign = await asking(() => idle.qrCode.claimChallenge({ challengeId: text }));
  assert.deepEqual([foreign.answer.errorCode, foreign.asked], ['invalid_qr_code', ['GET qr-code']]);
});
