// A screen, a phone and a backend with our packages, against the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stepup } from 'stepup-sdk/server';
import { Stepup as Screen } from 'stepup-sdk/web';
import { WebSocket } from 'ws';
import { ELSEWHERE_ASKS_FOR_THE_NUMBER, folderWith, startDemo, withDemo } from '../../tests/e2e/harness.mjs';
import { enrolledPhone, screenOf, withdrawal } from './support.mjs';

let demo;
let stepup;

globalThis.WebSocket = WebSocket;
withDemo(Stepup, (started, backend) => { [demo, stepup] = [started, backend]; });

const show = (token, params) => screenOf(demo, { token, ...params });

for (const polling of [false, true]) {
  const way = polling ? 'polling' : 'WebSocket';

  test(`${way}: claimed, approved with version 2, validated once`, async () => {
    const userId = `approves-${way}`;
    const phone = await enrolledPhone(demo, stepup, userId);
    const { url } = await withdrawal(stepup, userId);
    const { answer, until } = await show(url, { polling });
    const { challengeId } = answer.data;
    assert.equal((await phone.qrCode.claimChallenge({ challengeId })).data.context.user, userId);
    await until('claimed');
    assert.equal((await phone.qrCode.updateChallenge({ challengeId, approved: true })).data, true);
    const token = await until('approved');
    assert.equal((await stepup.validateChallenge({ token, action: 'withdrawal', userId })).isValid, true);
    assert.equal((await stepup.validateChallenge({ token, action: 'withdrawal', userId })).isValid, false);
  });

  test(`${way}: rejected, without a token`, async () => {
    const userId = `rejects-${way}`;
    const phone = await enrolledPhone(demo, stepup, userId);
    const { answer, until } = await show((await withdrawal(stepup, userId)).token, { polling });
    await phone.qrCode.claimChallenge(answer.data);
    await phone.qrCode.updateChallenge({ challengeId: answer.data.challengeId, approved: false });
    assert.equal(await until('rejected'), undefined);
  });

  test(`${way}: a screen for anybody hears who has its code, one for a known user does not`, async () => {
    const userId = `claims-${way}`;
    const phone = await enrolledPhone(demo, stepup, userId);
    const heard = [];
    const params = { polling, onClaimedBy: (claimer) => heard.push(claimer) };
    const kiosk = await show(undefined, { ...params, action: 'kiosk_login' });
    await phone.qrCode.claimChallenge(kiosk.answer.data);
    await kiosk.until('claimed');
    await phone.qrCode.updateChallenge({ challengeId: kiosk.answer.data.challengeId, approved: true });
    await kiosk.until('approved');
    const known = await show((await withdrawal(stepup, userId)).token, params);
    await phone.qrCode.claimChallenge(known.answer.data);
    await phone.qrCode.updateChallenge({ challengeId: known.answer.data.challengeId, approved: false });
    await known.until('rejected');
    assert.deepEqual(heard, [{ name: 'c•••', devicePlatform: 'other' }]);
  });

  test(`${way}: a wrong tenant is an answer`, async () => {
    const screen = new Screen({ tenantId: '00000000-0000-4000-8000-000000000000', baseUrl: demo.baseUrl });
    assert.equal((await screen.qrCode.challenge({ action: 'kiosk_login', polling, onStateChange() {} })).errorCode, 'unauthorized');
  });
}

test('a screen shows the number that a policy asks the phone for', async () => {
  const [usual, backend] = [demo, stepup];
  demo = await startDemo({ cwd: folderWith(ELSEWHERE_ASKS_FOR_THE_NUMBER) });
  stepup = new Stepup({ apiSecretKey: demo.apiSecret, apiUrl: demo.baseUrl });
  try {
    for (const polling of [false, true]) {
      const userId = `elsewhere-${polling}`;
      const phone = await enrolledPhone(demo, stepup, userId);
      let seen;
      const number = new Promise((done) => { seen = done; });
      const { answer, until } = await show((await withdrawal(stepup, userId)).token, { polling, onMatchCode: seen });
      const { challengeId } = answer.data;
      assert.equal((await phone.qrCode.claimChallenge({ challengeId })).data.needsCode, true);
      const digits = await number;
      assert.match(digits, /^\d\d$/);
      const wrong = String((Number(digits) + 1) % 100).padStart(2, '0');
      assert.equal((await phone.qrCode.updateChallenge({ challengeId, approved: true, verificationCode: wrong })).errorCode, 'wrong_code');
      assert.equal((await phone.qrCode.updateChallenge({ challengeId, approved: true, verificationCode: digits })).data, true);
      assert.ok(await until('approved'));
    }
  } finally {
    await demo.stop();
    [demo, stepup] = [usual, backend];
  }
});

for (const polling of [false, true]) {
  test(`${polling ? 'polling' : 'WebSocket'}: a rolling code is drawn, read and fresh; it is nobody else's and no text of its own`, async () => {
    const userId = `rolls-${polling}`;
    const phone = await enrolledPhone(demo, stepup, userId);
    const drawn = [];
    const { answer, until } = await show((await withdrawal(stepup, userId)).token, { polling, onQrCode: (text) => drawn.push(text) });
    const [text] = drawn;
    assert.match(text, /\/q\/[\w-]{130}$/);
    assert.equal((await phone.qrCode.claimChallenge({ challengeId: text.replace(demo.origin, 'https://evil.example') })).errorCode, 'invalid_qr_code');
    const forged = text.replace(/.(?=.{60}$)/, (letter) => (letter === 'A' ? 'B' : 'A'));
    assert.equal((await phone.qrCode.claimChallenge({ challengeId: forged })).errorCode, 'invalid_qr_code');
    // Another step's code was not on the screen: its eight bytes are the last.
    const stale = text.replace(/.{10}(?=.$)/, 'AAAAAAAAAA');
    assert.equal((await phone.qrCode.claimChallenge({ challengeId: stale })).errorCode, 'qr_stale');
    const claimed = await phone.qrCode.claimChallenge({ challengeId: text });
    assert.equal(claimed.data?.context.challenge, answer.data.challengeId, JSON.stringify(claimed));
    await until('claimed');
    assert.equal((await phone.qrCode.updateChallenge({ challengeId: text, approved: true })).data, true);
    const token = await until('approved');
    assert.equal((await stepup.validateChallenge({ token, action: 'withdrawal', userId })).acr, 'qr.fresh');
  });
}

test('a socket that cannot be opened is replaced by polling', async () => {
  globalThis.WebSocket = class extends WebSocket {
    constructor(address, protocols) {
      super(address.replace(/\/ws-v1-challenge$/, '/nothing-here'), protocols);
    }
  };
  try {
    const phone = await enrolledPhone(demo, stepup, 'falls-back');
    const { answer, until } = await show((await withdrawal(stepup, 'falls-back')).token);
    await phone.qrCode.claimChallenge(answer.data);
    await phone.qrCode.updateChallenge({ challengeId: answer.data.challengeId, approved: true });
    assert.ok(await until('approved'));
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});

test('without an action and a token nothing is opened', async () => {
  const { answer } = await show(undefined);
  assert.equal(answer.errorCode, 'invalid_request');
});
