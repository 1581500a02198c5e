// npm @authsignal/browser, unmodified, in a real browser, with only its base URL set.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Authsignal } from '@authsignal/node';
import { openBrowser } from './browser.mjs';
import { startDemo } from './harness.mjs';
import { enrolled } from './phone.mjs';

const bundle = readFileSync(join(dirname(createRequire(import.meta.url).resolve('@authsignal/browser')), 'index.min.js'));
let demo;
let authsignal;
let browser;
let site;
let page;
let sockets = [];

before(async () => {
  demo = await startDemo();
  authsignal = new Authsignal({ apiSecretKey: demo.apiSecret, apiUrl: demo.baseUrl });
  // The customer's own site, on another origin than Stepup.
  site = createServer((request, response) => {
    if (request.url === '/sdk.js') return response.setHeader('Content-Type', 'text/javascript').end(bundle);
    return response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>customer</title><script src="/sdk.js"></script>');
  });
  await new Promise((done) => site.listen(0, '127.0.0.1', done));
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  site?.close();
  await demo?.stop();
});

/** Opens a fresh page, makes an SDK instance, starts a challenge; returns its answer and a way to wait for states. */
async function challenge({ token, action, custom, polling }) {
  page = await browser.newPage();
  sockets = [];
  page.on('websocket', (socket) => sockets.push(socket));
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  const answer = await page.evaluate(async ({ baseUrl, tenantId, token, action, custom, polling }) => {
    window.states = [];
    window.sdk = new window.authsignal.Authsignal({ baseUrl, tenantId });
    if (token) window.sdk.setToken(token);
    return window.sdk.qrCode.challenge({ action, custom, polling, pollInterval: 200, onStateChange: (state, accessToken) => window.states.push({ state, accessToken }) });
  }, { baseUrl: demo.baseUrl, tenantId: demo.tenantId, token, action, custom, polling });
  const until = async (state) => {
    await page.waitForFunction((wanted) => window.states.some((seen) => seen.state === wanted), state, { timeout: 10_000 });
    return page.evaluate((wanted) => window.states.find((seen) => seen.state === wanted), state);
  };
  return { answer, until };
}

const withdrawal = (userId) => authsignal.track({ userId, action: 'withdrawal', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { amount: { value: '99.50', currency: 'EUR' }, payee: 'p1' } } });

for (const polling of [false, true]) {
  const way = polling ? 'polling' : 'WebSocket';

  test(`anonymous by ${way}: whoever scans is the user`, async () => {
    const phone = await enrolled(demo, authsignal, `anonymous-${way}`, 'ios');
    const { answer, until } = await challenge({ action: 'kiosk_login', custom: { till: '7' }, polling });
    assert.ok(answer.data?.challengeId, JSON.stringify(answer));
    assert.equal((await phone.claim(answer.data.challengeId)).status, 200);
    await until('claimed');
    assert.equal((await phone.answer(answer.data.challengeId, true)).json.isVerified, true);
    const { accessToken } = await until('approved');
    const valid = await authsignal.validateChallenge({ token: accessToken, action: 'kiosk_login' });
    assert.equal(valid.isValid, true);
    assert.equal(valid.userId, `anonymous-${way}`);
  });

  test(`identified by ${way}: only that user may approve`, async () => {
    const userId = `identified-${way}`;
    const phone = await enrolled(demo, authsignal, userId, 'android');
    const stranger = await enrolled(demo, authsignal, `stranger-${way}`, 'ios');
    const { token } = await withdrawal(userId);
    const { answer, until } = await challenge({ token, action: 'withdrawal', polling });
    const { challengeId } = answer.data;
    const refused = await stranger.claim(challengeId);
    assert.notEqual(refused.status, 200);
    const claimed = await phone.claim(challengeId);
    assert.equal(claimed.json.success, true);
    assert.equal(claimed.json.ipAddress, '81.2.69.142');
    assert.equal(claimed.json.actionCode, 'withdrawal');
    await until('claimed');
    await phone.answer(challengeId, true);
    const { accessToken } = await until('approved');
    assert.equal((await authsignal.validateChallenge({ token: accessToken, action: 'withdrawal', userId })).isValid, true);
  });

  test(`rejected by ${way}: the screen learns it and nothing validates`, async () => {
    const userId = `rejected-${way}`;
    const phone = await enrolled(demo, authsignal, userId, 'android');
    const { token, idempotencyKey } = await withdrawal(userId);
    const { answer, until } = await challenge({ token, action: 'withdrawal', polling });
    await phone.claim(answer.data.challengeId);
    await phone.answer(answer.data.challengeId, false);
    assert.equal((await until('rejected')).accessToken, undefined);
    assert.equal((await authsignal.getAction({ userId, action: 'withdrawal', idempotencyKey })).state, 'CHALLENGE_FAILED');
  });
}

test('a refresh gives a new code and retires the old one', async () => {
  const phone = await enrolled(demo, authsignal, 'refreshed', 'ios');
  const { answer } = await challenge({ action: 'kiosk_login' });
  // The package answers nothing when the new code has come; the server's frame tells.
  const created = new Promise((done) => sockets.at(-1).on('framereceived', ({ payload }) => payload.includes('CHALLENGE_CREATED') && done()));
  await page.evaluate(() => window.sdk.qrCode.refresh({ custom: { till: '8' } }));
  await created;
  const late = await phone.claim(answer.data.challengeId);
  assert.notEqual(late.status, 200, 'the code that was replaced is not accepted any more');
});

test('a wrong tenant is refused when the socket opens', async () => {
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  const outcome = await page.evaluate(async (baseUrl) => {
    const sdk = new window.authsignal.Authsignal({ baseUrl, tenantId: '00000000-0000-4000-8000-000000000000' });
    return sdk.qrCode.challenge({ action: 'kiosk_login', onStateChange() {} }).then(() => 'resolved', () => 'rejected');
  }, demo.baseUrl);
  assert.equal(outcome, 'rejected');
});

test('the push of the package is fetched and answered by the phone', async () => {
  const phone = await enrolled(demo, authsignal, 'pia', 'android', 'push');
  const { token } = await withdrawal('pia');
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  const sent = await page.evaluate(async ({ baseUrl, tenantId, token }) => {
    window.sdk = new window.authsignal.Authsignal({ baseUrl, tenantId });
    window.sdk.setToken(token);
    return window.sdk.push.challenge({ action: 'withdrawal' });
  }, { baseUrl: demo.baseUrl, tenantId: demo.tenantId, token });
  const { challengeId } = sent.data;
  const verify = () => page.evaluate((id) => window.sdk.push.verify({ challengeId: id }), challengeId);
  assert.deepEqual((({ isVerified, isConsumed }) => ({ isVerified, isConsumed }))((await verify()).data), { isVerified: false, isConsumed: false });
  const { json: pending } = await phone.pending();
  assert.equal(pending.challengeId, challengeId);
  assert.equal(pending.custom.payee, 'p1');
  assert.equal((await phone.answer(challengeId, true)).json.isVerified, true);
  const { data } = await verify();
  assert.equal(data.isVerified, true);
  const validated = await authsignal.validateChallenge({ token: data.token, action: 'withdrawal', userId: 'pia' });
  assert.equal(validated.isValid, true);
  assert.equal(validated.verificationMethod, 'PUSH');
});

test('a push that the phone declines, or that has no phone to go to, is told to the package', async () => {
  const phone = await enrolled(demo, authsignal, 'nora', 'ios', 'push');
  await enrolled(demo, authsignal, 'scans', 'ios');
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  const send = (token) => page.evaluate(async ({ baseUrl, tenantId, token }) => {
    // A slash at the end doubles in every path of the package.
    window.sdk = new window.authsignal.Authsignal({ baseUrl: `${baseUrl}/`, tenantId });
    window.sdk.setToken(token);
    return window.sdk.push.challenge({ action: 'withdrawal' });
  }, { baseUrl: demo.baseUrl, tenantId: demo.tenantId, token });
  assert.equal((await send((await withdrawal('scans')).token)).errorCode, 'invalid_configuration');
  const { data: { challengeId } } = await send((await withdrawal('nora')).token);
  assert.equal((await phone.answer(challengeId, false)).json.isVerified, false);
  const { data } = await page.evaluate((id) => window.sdk.push.verify({ challengeId: id }), challengeId);
  assert.deepEqual([data.isVerified, data.isConsumed, data.token], [false, true, undefined]);
});

test('what the package offers and Stepup does not is answered in its words', async () => {
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  const { token } = await withdrawal('methods');
  const codes = await page.evaluate(async ({ baseUrl, tenantId, token }) => {
    const sdk = new window.authsignal.Authsignal({ baseUrl, tenantId });
    sdk.setToken(token);
    const answers = [await sdk.totp.enroll(), await sdk.totp.verify({ code: '123456' }), await sdk.email.challenge(), await sdk.sms.challenge()];
    return answers.map(({ errorCode, error }) => errorCode ?? error);
  }, { baseUrl: demo.baseUrl, tenantId: demo.tenantId, token });
  assert.deepEqual(codes, Array(4).fill('invalid_configuration'));
});
