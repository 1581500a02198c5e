// A kiosk with a registered key, a phone with a radio, and pages that are no terminal, against the real server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stepup } from 'stepup-sdk/server';
import { Stepup as Screen } from 'stepup-sdk/web';
import { WebSocket } from 'ws';
import { approvalOf, enrolledPhone, registration, screenOf, startWithAdministrator, terminal, withdrawal } from './support.mjs';

const NAME = 'Kiosk 7, Central Station';
const kiosk7 = terminal('kiosk-7');
let server;
let backend;
let admin;

before(async () => {
  globalThis.WebSocket = WebSocket;
  server = await startWithAdministrator();
  backend = new Stepup({ apiSecretKey: server.apiSecret, apiUrl: server.baseUrl });
  admin = new Stepup({ apiSecretKey: server.adminSecret, apiUrl: server.baseUrl });
  await admin.registerTerminal(registration(kiosk7, NAME, { place: { country: 'DE', city: 'Berlin', latitude: 52.525, longitude: 13.369 } }));
});
after(() => server.stop());

/** A screen that draws a rolling code, and what stands on it. */
async function show({ token, ...params }) {
  const drawn = [];
  const asked = token ? { token } : { action: 'kiosk_login' };
  const shown = await screenOf(server, { ...asked, onQrCode: (text) => drawn.push(text), ...params });
  return { ...shown, qrCode: shown.screen.qrCode, scanned: () => drawn.at(-1) };
}

/** The claims of the token that the screen gets once this phone has approved what it scanned. */
async function approved(phone, screen, near) {
  const challengeId = screen.scanned();
  const claimed = await phone.qrCode.claimChallenge({ challengeId, ...(near ? { near } : {}) });
  assert.ok(claimed.data, JSON.stringify(claimed));
  await screen.until('claimed');
  assert.equal((await phone.qrCode.updateChallenge({ challengeId, approved: true })).data, true);
  const token = await screen.until('approved');
  return { context: claimed.data.context, token, ...approvalOf(token) };
}

/** The air between a phone and a terminal: what the one asks, the other hears. */
const radio = (qrCode, channel = 'nfc', change = (question) => question) => ({
  channel,
  ask: async (question) => (await qrCode.near({ ...change(question), channel })).data,
});

for (const polling of [false, true]) {
  const way = polling ? 'polling' : 'WebSocket';

  test(`${way}: a challenge of a registered terminal is its own, and says so to phone and backend`, async () => {
    const phone = await enrolledPhone(server, backend, `stands-${polling}`);
    const { context, token, acr, terminal: shown } = await approved(phone, await show({ polling, terminal: kiosk7 }));
    assert.deepEqual(context.origin.terminal, { id: 'kiosk-7', name: NAME });
    assert.deepEqual([context.origin.country, context.origin.city], ['DE', 'Berlin']);
    assert.deepEqual([acr, shown], ['qr.trusted_origin', 'kiosk-7']);
    const valid = await backend.validateChallenge({ token, action: 'kiosk_login' });
    assert.deepEqual([valid.isValid, valid.acr, valid.terminal], [true, 'qr.trusted_origin', 'kiosk-7']);
  });

  test(`${way}: so is one of a tracked action, under its token`, async () => {
    const userId = `pays-${polling}`;
    const phone = await enrolledPhone(server, backend, userId);
    const { token } = await withdrawal(backend, userId);
    const { context, acr, terminal: shown } = await approved(phone, await show({ polling, token, terminal: kiosk7 }));
    assert.equal(context.user, userId);
    assert.deepEqual([context.origin.terminal.id, acr, shown], ['kiosk-7', 'qr.trusted_origin', 'kiosk-7']);
  });

  test(`${way}: a phone that the terminal heard is beside it`, async () => {
    const phone = await enrolledPhone(server, backend, `near-${polling}`);
    const screen = await show({ polling, terminal: kiosk7 });
    const asked = [];
    const { channel, ask } = radio(screen.qrCode, polling ? 'uwb' : 'nfc');
    const { acr, terminal: shown } = await approved(phone, screen, { channel, ask: (question) => { asked.push(question); return ask(question); } });
    assert.deepEqual([acr, shown], ['qr.proximate', 'kiosk-7']);
    assert.equal(asked.length, 1);
    assert.equal(asked[0].challengeId, screen.answer.data.challengeId);
    assert.match(asked[0].nonce, /^[\w-]{22}$/);
  });

  test(`${way}: a page without the key makes a challenge of its own, of which no phone is near`, async () => {
    const userId = `plain-${polling}`;
    const phone = await enrolledPhone(server, backend, userId);
    const { token } = await withdrawal(backend, userId);
    const atTerminal = await show({ polling, token, terminal: kiosk7 });
    const page = await show({ polling, token });
    assert.notEqual(page.answer.data.challengeId, atTerminal.answer.data.challengeId);
    assert.equal((await page.qrCode.near({ challengeId: page.answer.data.challengeId, nonce: 'A'.repeat(22), channel: 'nfc' })).errorCode, 'terminal_not_set');
    const { context, acr, terminal: shown } = await approved(phone, page, radio(page.qrCode));
    assert.deepEqual([context.origin.terminal, acr, shown], [undefined, 'qr.fresh', undefined]);
    atTerminal.qrCode.disconnect();
  });

  test(`${way}: a key that is not registered, another terminal's, or one that was revoked makes nothing`, async () => {
    for (const stranger of [terminal('kiosk-9'), { ...terminal('x'), id: 'kiosk-7' }, { ...kiosk7, id: 'kiosk-9' }]) {
      const { answer } = await show({ polling, terminal: stranger });
      assert.deepEqual([answer.data, answer.errorCode], [undefined, 'terminal_refused'], JSON.stringify(answer));
    }
    const doomed = terminal(`doomed-${polling}`);
    await admin.registerTerminal(registration(doomed, 'Doomed'));
    const phone = await enrolledPhone(server, backend, `late-${polling}`);
    const screen = await show({ polling, terminal: doomed });
    await admin.revokeTerminal({ terminalId: doomed.id });
    await screen.until('superseded');
    assert.equal((await phone.qrCode.claimChallenge({ challengeId: screen.scanned() })).errorCode, 'challenge_superseded');
    assert.equal((await screen.qrCode.refresh()).errorCode, 'terminal_refused');
    await assert.rejects(admin.registerTerminal(registration(doomed, 'Doomed')), /revoked/);
  });

  test(`${way}: each code is signed anew, with one nonce of the server's`, async () => {
    const phone = await enrolledPhone(server, backend, `again-${polling}`);
    const signed = [];
    const counting = { ...kiosk7, sign: (bytes) => { signed.push(Buffer.from(bytes).toString()); return kiosk7.sign(bytes); } };
    const screen = await show({ polling, terminal: counting });
    const { data } = await screen.qrCode.refresh();
    assert.notEqual(data.challengeId, screen.answer.data.challengeId);
    const of = (name) => new Set(signed.map((text) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)[1])).size;
    assert.deepEqual([signed.length, of('server'), of('nonce')], [2, 1, 2]);
    assert.equal((await approved(phone, screen, radio(screen.qrCode))).acr, 'qr.proximate');
  });

  test(`${way}: a nonce that is good no more is had anew`, async () => {
    const { fetch } = globalThis;
    let asked = 0;
    globalThis.fetch = async (url, init) => {
      if (!String(url).endsWith('/v1/client/challenge')) return fetch(url, init);
      asked += 1;
      const answer = await (await fetch(url, init)).json();
      return new Response(JSON.stringify({ ...answer, nonce: asked === 1 ? 'A'.repeat(22) : answer.nonce }), { headers: { 'Content-Type': 'application/json' } });
    };
    try {
      const { answer, qrCode } = await show({ polling, terminal: kiosk7 });
      assert.ok(answer.data, JSON.stringify(answer));
      await qrCode.refresh();
      assert.equal(asked, 2);
      qrCode.disconnect();
    } finally {
      globalThis.fetch = fetch;
    }
  });

  test(`${way}: a screen that cannot sign any more says that its code is over`, async () => {
    let signed = 0;
    const failing = { ...kiosk7, sign: (bytes) => { if ((signed += 1) > 1) throw new Error('the module is gone'); return kiosk7.sign(bytes); } };
    const screen = await show({ polling, terminal: failing, refreshInterval: 100 });
    await screen.until('expired');
    const { answer } = await show({ polling, terminal: failing });
    assert.match(answer.errorDescription, /the module is gone/);
  });

  test(`${way}: a screen that is stopped while it signs makes nothing`, async () => {
    let go;
    const slow = { ...kiosk7, sign: async (bytes) => { await new Promise((done) => { go = done; }); return kiosk7.sign(bytes); } };
    const { qrCode } = new Screen({ tenantId: server.tenantId, baseUrl: server.baseUrl });
    const begun = qrCode.challenge({ action: 'kiosk_login', polling, terminal: slow, onStateChange: () => assert.fail('told') });
    while (!go) await new Promise((done) => { setTimeout(done, 10); });
    qrCode.disconnect();
    go();
    assert.equal((await begun).errorCode, 'disconnected');
  });
}

test('an answer for another nonce, of another terminal or over another radio is no proximity, and the phone may claim without', async () => {
  const other = terminal('kiosk-8');
  await admin.registerTerminal(registration(other, 'Kiosk 8'));
  const phone = await enrolledPhone(server, backend, 'far');
  const screen = await show({ terminal: kiosk7 });
  const elsewhere = await show({ terminal: other });
  const challengeId = screen.scanned();
  const recorded = (question) => ({ ...question, nonce: 'A'.repeat(22) });
  const theirs = (question) => ({ ...question, challengeId: elsewhere.answer.data.challengeId });
  const relayed = { channel: 'uwb', ask: radio(screen.qrCode, 'ble').ask };
  for (const near of [radio(screen.qrCode, 'nfc', recorded), radio(elsewhere.qrCode, 'nfc', theirs), relayed]) {
    const { errorCode } = await phone.qrCode.claimChallenge({ challengeId, near });
    assert.equal(errorCode, 'invalid_proximity');
  }
  const said = { channel: 'nfc', ask: async () => { throw new Error('the radio is off'); } };
  assert.match((await phone.qrCode.claimChallenge({ challengeId, near: said })).errorDescription, /the radio is off/);
  assert.equal(screen.seen.has('claimed'), false);
  // The other terminal says nothing of this challenge, and nobody answers.
  assert.equal((await approved(phone, screen, radio(elsewhere.qrCode))).acr, 'qr.trusted_origin');
  elsewhere.qrCode.disconnect();
});

test('a terminal speaks of the challenge on its screen alone, and only while nobody has it', async () => {
  const phone = await enrolledPhone(server, backend, 'asks');
  for (const polling of [false, true]) {
    const screen = await show({ polling, terminal: kiosk7 });
    const before = screen.answer.data.challengeId;
    const ask = async (challengeId) => (await screen.qrCode.near({ challengeId, nonce: 'A'.repeat(22), channel: 'ble' })).errorCode;
    assert.equal(await ask(before), undefined);
    assert.equal(await ask(''), 'challenge_not_found');
    const { data } = await screen.qrCode.refresh();
    assert.deepEqual([await ask(before), await ask(data.challengeId)], ['challenge_not_found', undefined]);
    assert.ok((await phone.qrCode.claimChallenge({ challengeId: screen.scanned() })).data);
    await screen.until('claimed');
    assert.equal(await ask(data.challengeId), 'challenge_already_claimed');
    screen.qrCode.disconnect();
    assert.equal(await ask(data.challengeId), 'challenge_not_found');
  }
});

test('a phone that signs the id alone proves nothing about where it is', async () => {
  const phone = await enrolledPhone(server, backend, 'stock', { signatureVersion: 1 });
  const screen = await show({ terminal: kiosk7 });
  const { challengeId } = screen.answer.data;
  assert.equal((await phone.qrCode.claimChallenge({ challengeId, near: radio(screen.qrCode) })).errorCode, 'invalid_request');
  assert.equal(screen.seen.has('claimed'), false);
  screen.qrCode.disconnect();
});

test('a socket that breaks is replaced by polling, and the terminal still speaks of its challenge', async () => {
  const phone = await enrolledPhone(server, backend, 'broken');
  const sockets = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...all) {
      super(...all);
      sockets.push(this);
    }
  };
  try {
    const screen = await show({ terminal: kiosk7 });
    sockets[0].terminate();
    assert.equal((await approved(phone, screen, radio(screen.qrCode))).acr, 'qr.proximate');
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});

test('an administrator registers, reads and revokes terminals, and a backend changes none', async () => {
  const till = terminal('till-1');
  const place = { country: 'GB', region: null, city: 'Leeds', latitude: 53.8, longitude: -1.55 };
  const made = await admin.registerTerminal(registration(till, 'Till 1', { place }));
  assert.deepEqual([made.terminalId, made.name, made.publicKey, made.place, made.cancelledChallenges], ['till-1', 'Till 1', till.publicKey, place, 0]);
  const { cancelledChallenges, ...known } = made;
  assert.equal(cancelledChallenges, 0);
  assert.deepEqual(await backend.getTerminal({ terminalId: 'till-1' }), known);
  await assert.rejects(backend.registerTerminal(registration(till, 'Mine')), { errorCode: 'forbidden' });
  await assert.rejects(admin.registerTerminal(registration({ ...till, publicKey: 'nonsense' }, 'Till 1')), (error) => error.errorCode === 'invalid_public_key' && error.errors[0].pointer === '/publicKey');
  const screen = await show({ terminal: till });
  const revoked = await admin.revokeTerminal({ terminalId: 'till-1' });
  assert.deepEqual([typeof revoked.revokedAt, revoked.cancelledChallenges], ['string', 1]);
  await screen.until('superseded');
  assert.deepEqual((await admin.getTerminals()).filter(({ terminalId }) => terminalId === 'till-1'), [{ ...known, revokedAt: revoked.revokedAt }]);
  await assert.rejects(backend.getTerminal({ terminalId: 'till-1' }), { statusCode: 404 });
});
