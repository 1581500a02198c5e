// <stepup-challenge> in a real browser, on a page of another origin with a strict policy, against the real server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Stepup } from 'stepup-sdk/server';
import { openBrowser } from '../../tests/e2e/browser.mjs';
import { startDemo } from '../../tests/e2e/harness.mjs';
import { enrolledPhone, readQr, withdrawal } from './support.mjs';

const built = fileURLToPath(new URL('../dist/esm/', import.meta.url));
const page = (body) => `<!doctype html><html lang="en"><title>shop</title><script type="module" src="/dist/web/element.js"></script><main>${body}</main>`;
let demo;
let stepup;
let browser;
let site;
let body = '';

before(async () => {
  demo = await startDemo();
  stepup = new Stepup({ apiSecretKey: demo.apiSecret, apiUrl: demo.baseUrl });
  site = createServer((request, response) => {
    const [, file] = /^\/dist\/((?:mobile|web|shared)\/[a-zA-Z0-9-]+\.js)$/.exec(request.url) ?? [];
    if (file) return response.setHeader('Content-Type', 'text/javascript').end(readFileSync(built + file));
    // No inline script and no inline style may be needed.
    response.setHeader('Content-Security-Policy', `default-src 'none'; script-src 'self'; connect-src ${demo.origin} ${demo.origin.replace('http', 'ws')}`);
    return response.setHeader('Content-Type', 'text/html').end(page(body));
  });
  await new Promise((done) => site.listen(0, '127.0.0.1', done));
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  site?.close();
  await demo?.stop();
});

/** Opens the page with this element, after `prepare`; gives the page, its complaints, and a way to wait for an event. */
async function open(attributes, inner = '', prepare = async () => {}) {
  body = `<stepup-challenge base-url="${demo.baseUrl}" tenant-id="${demo.tenantId}" ${attributes}></stepup-challenge>${inner}`;
  const opened = await browser.newPage();
  const complaints = [];
  opened.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  opened.on('pageerror', (error) => complaints.push(String(error)));
  await prepare(opened);
  await opened.goto(`http://127.0.0.1:${site.address().port}/`);
  await opened.evaluate(() => {
    window.heard = [];
    for (const name of ['claimed', 'approved', 'rejected', 'expired', 'failed']) {
      document.querySelector('stepup-challenge').addEventListener(name, ({ detail }) => window.heard.push({ name, detail }));
    }
  });
  const until = async (name) => {
    await opened.waitForFunction((wanted) => window.heard.some((event) => event.name === wanted), name, { timeout: 10_000 });
    return opened.evaluate((wanted) => window.heard.find((event) => event.name === wanted).detail, name);
  };
  return { opened, complaints, until, status: opened.getByRole('status'), code: opened.getByRole('img') };
}

test('one line of HTML shows the code, follows the phone and hands over the token', async () => {
  const phone = await enrolledPhone(demo, stepup, 'elena');
  const tracked = await withdrawal(stepup, 'elena');
  const { opened, complaints, until, status, code } = await open(`token="${tracked.token}"`);
  await code.waitFor();
  assert.equal(await status.textContent(), 'Scan this code with your phone.');
  const { challengeId } = await stepup.getChallenge({ userId: 'elena' });
  assert.ok((await phone.qrCode.claimChallenge({ challengeId })).data);
  await until('claimed');
  assert.equal(await status.textContent(), 'Now confirm on your phone.');
  await phone.qrCode.updateChallenge({ challengeId, approved: true });
  const { token } = await until('approved');
  assert.equal(await status.textContent(), 'Confirmed.');
  assert.equal(await code.count(), 0, 'the code is gone');
  assert.equal((await stepup.validateChallenge({ token, action: 'withdrawal', userId: 'elena' })).isValid, true);
  assert.deepEqual(complaints, []);
  await opened.close();
});

test('a code that rolls is a signed link, and is drawn anew with the attribute', async () => {
  const phone = await enrolledPhone(demo, stepup, 'rolf');
  const { complaints, until, code } = await open(`rolling token="${(await withdrawal(stepup, 'rolf')).token}"`);
  await code.waitFor();
  const challengeId = readQr(await code.evaluate((drawn) => drawn.outerHTML));
  assert.match(challengeId, /\/q\/[\w-]{130}$/);
  assert.ok((await phone.qrCode.claimChallenge({ challengeId })).data);
  await until('claimed');
  await phone.qrCode.updateChallenge({ challengeId, approved: true });
  const { token } = await until('approved');
  assert.equal((await stepup.validateChallenge({ token, action: 'withdrawal', userId: 'rolf' })).acr, 'qr.fresh');
  assert.deepEqual(complaints, []);
});

test('a refusal on the phone offers a new code, in the words of the page', async () => {
  const phone = await enrolledPhone(demo, stepup, 'emil');
  const { opened, until, status, code } = await open('action="kiosk_login"');
  await code.waitFor();
  const frames = [];
  opened.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => frames.push(JSON.parse(String(payload))));
    socket.on('framesent', ({ payload }) => frames.push(JSON.parse(String(payload))));
  });
  // Two changes at a time are one new challenge.
  await opened.evaluate(() => Object.assign(document.querySelector('stepup-challenge'), { texts: { rejected: 'Abgelehnt.', again: 'Neuer Code' }, custom: { till: '7' } }));
  const heard = (wanted) => frames.filter(({ type }) => type === wanted);
  while (heard('CHALLENGE_CREATED').length === 0) await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(heard('CREATE_CHALLENGE').map(({ data }) => data.custom), [{ till: '7' }]);
  const { challengeId } = heard('CHALLENGE_CREATED')[0].data;
  assert.ok((await phone.qrCode.claimChallenge({ challengeId })).data);
  await phone.qrCode.updateChallenge({ challengeId, approved: false });
  await until('rejected');
  assert.equal(await status.textContent(), 'Abgelehnt.');
  await opened.getByRole('button', { name: 'Neuer Code' }).click();
  await code.waitFor();
  await opened.close();
});

test('who stands at a kiosk sees that somebody else was faster, and takes a new code', async () => {
  const phone = await enrolledPhone(demo, stepup, 'erwin');
  const { opened, complaints, until, status, code } = await open('action="kiosk_login"');
  const made = opened.evaluate(() => new Promise((done) => { window.made = done; }));
  await opened.evaluate(() => {
    const { WebSocket } = window;
    window.WebSocket = class extends WebSocket {
      constructor(...all) {
        super(...all);
        this.addEventListener('message', ({ data }) => JSON.parse(data).type === 'CHALLENGE_CREATED' && window.made(JSON.parse(data).data.challengeId));
      }
    };
    document.querySelector('stepup-challenge').setAttribute('rolling', '');
  });
  assert.ok((await phone.qrCode.claimChallenge({ challengeId: await made })).data);
  await until('claimed');
  await opened.getByText('scanned this code. Not you?').waitFor();
  assert.equal(await status.textContent(), 'Now confirm on your phone.\u2068e•••\u2069 scanned this code. Not you?');
  await opened.getByRole('button', { name: 'Show a new code' }).click();
  await code.waitFor();
  await opened.getByText('Scan this code with your phone.').waitFor();
  assert.equal(await status.textContent(), 'Scan this code with your phone.');
  assert.deepEqual(complaints, []);
  await opened.close();
});

test('a screen that knows nobody goes on with its challenge when the socket breaks', async () => {
  const phone = await enrolledPhone(demo, stepup, 'enno');
  let made;
  let cut;
  const { opened, until, code } = await open('action="kiosk_login"', '', (page) => page.routeWebSocket(/./, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const { type, data } = JSON.parse(String(message));
      if (type === 'CHALLENGE_CREATED') made = data.challengeId;
      socket.send(message);
    });
    cut = () => socket.close();
  }));
  await code.waitFor();
  assert.ok((await phone.qrCode.claimChallenge({ challengeId: made })).data);
  await until('claimed');
  await cut();
  await phone.qrCode.updateChallenge({ challengeId: made, approved: true });
  const { token } = await until('approved');
  assert.equal((await stepup.validateChallenge({ token, action: 'kiosk_login' })).isValid, true);
  await opened.close();
});

test('what cannot work says so and can be tried again', async () => {
  const { opened, until, status, code } = await open('token="nonsense"');
  await opened.getByText('That did not work.').waitFor();
  await opened.evaluate(() => document.querySelector('stepup-challenge').setAttribute('token', 'still nonsense'));
  assert.equal((await until('failed')).errorCode, 'invalid_token');
  assert.equal(await status.textContent(), 'That did not work.');
  await enrolledPhone(demo, stepup, 'ella');
  const { token } = await withdrawal(stepup, 'ella');
  await opened.evaluate((good) => document.querySelector('stepup-challenge').setAttribute('token', good), token);
  await code.waitFor();
  await opened.close();
});

test('a code that nobody scans is replaced in time', async () => {
  const { opened } = await open('action="kiosk_login"');
  const codes = await opened.evaluate(async ({ baseUrl, tenantId }) => {
    const { Stepup: Web } = await import('/dist/web/index.js');
    const { qrCode } = new Web({ baseUrl, tenantId });
    return new Promise((resolve) => {
      const seen = [];
      const next = (challengeId) => {
        seen.push(challengeId);
        if (seen.length < 3) return;
        qrCode.disconnect();
        resolve(seen);
      };
      const params = { action: 'kiosk_login', refreshInterval: 100, onRefresh: next, onStateChange: () => undefined };
      void qrCode.challenge(params).then(({ data }) => next(data.challengeId));
    });
  }, { baseUrl: demo.baseUrl, tenantId: demo.tenantId });
  assert.equal(new Set(codes).size, 3);
  await opened.close();
});

test('the key of webKeyStore stays in the browser, and cannot leave it', async () => {
  const { opened, complaints } = await open('hidden');
  const { token } = await stepup.track({ userId: 'keeper', action: 'device_enrol', attributes: { deviceId: 'd1', ipAddress: '81.2.69.142', scope: 'add:authenticators' } });
  const call = (name, argument) => opened.evaluate(async ([options, method, given]) => {
    const { Stepup: Phone, webKeyStore } = await import('/dist/mobile/index.js');
    return new Phone({ ...options, keyStore: webKeyStore() }).qrCode[method](given);
  }, [{ tenantId: demo.tenantId, baseUrl: demo.baseUrl }, name, argument]);
  const added = await call('addCredential', { token, deviceName: 'This browser' });
  assert.ok(added.data, JSON.stringify(added));
  await opened.reload();
  const found = await call('getCredential', {});
  assert.equal(found.data?.userAuthenticatorId, added.data.userAuthenticatorId, JSON.stringify(found));
  // What lies in IndexedDB is a handle: nothing there can be exported.
  const exportable = await opened.evaluate(async () => {
    const keys = [];
    const visit = (value) => {
      if (value instanceof CryptoKey) keys.push(value);
      else if (value && typeof value === 'object' && !ArrayBuffer.isView(value)) Object.values(value).forEach(visit);
    };
    for (const { name } of await indexedDB.databases()) {
      const database = await new Promise((done) => { indexedDB.open(name).onsuccess = ({ target }) => done(target.result); });
      for (const store of database.objectStoreNames) {
        visit(await new Promise((done) => { database.transaction(store).objectStore(store).getAll().onsuccess = ({ target }) => done(target.result); }));
      }
    }
    return keys.filter(({ type }) => type === 'private').map(({ extractable }) => extractable);
  });
  assert.deepEqual(exportable, [false]);
  await call('removeCredential', {});
  assert.equal((await call('getCredential', {})).data, undefined);
  assert.deepEqual(complaints.filter((text) => !text.includes('status of 4')), []);
  await opened.close();
});
