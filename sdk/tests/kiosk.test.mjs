// A kiosk's page and the server's own phone page, in a real browser: the key stays in the one, the terminal's name is read on the other.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Stepup } from 'stepup-sdk/server';
import { openBrowser } from '../../tests/e2e/browser.mjs';
import { accessible, everyLanguage, openPage } from '../../tests/e2e/pages.mjs';
import { approvalOf, enrolledPhone, enrolmentToken, readQr, registration, startWithAdministrator } from './support.mjs';

const built = fileURLToPath(new URL('../dist/esm/', import.meta.url));
const NAME = 'Kiosk 7, Central Station';
let server;
let stepup;
let admin;
let browser;
let site;

before(async () => {
  server = await startWithAdministrator();
  stepup = new Stepup({ apiSecretKey: server.apiSecret, apiUrl: server.baseUrl });
  admin = new Stepup({ apiSecretKey: server.adminSecret, apiUrl: server.baseUrl });
  const page = `<!doctype html><html lang="en"><title>kiosk</title><script type="module" src="/dist/web/element.js"></script>
    <main><stepup-challenge base-url="${server.baseUrl}" tenant-id="${server.tenantId}" rolling></stepup-challenge></main>`;
  site = createServer((request, response) => {
    const [, file] = /^\/dist\/((?:web|shared)\/[a-zA-Z0-9-]+\.js)$/.exec(request.url) ?? [];
    if (file) return response.setHeader('Content-Type', 'text/javascript').end(readFileSync(built + file));
    response.setHeader('Content-Security-Policy', `default-src 'none'; script-src 'self'; connect-src ${server.origin} ${server.origin.replace('http', 'ws')}`);
    return response.setHeader('Content-Type', 'text/html').end(page);
  });
  await new Promise((done) => site.listen(0, '127.0.0.1', done));
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  site?.close();
  await server?.stop();
});

/** The kiosk's page, its complaints, and the public key that it shows its administrator. */
async function openKiosk(id, options = {}) {
  const page = await openPage(server, browser, `http://127.0.0.1:${site.address().port}/`);
  const publicKey = await page.evaluate(async ([name, given]) => {
    const { webTerminal } = await import('/dist/web/index.js');
    // Two who ask at a time get the same key.
    const [one, other] = await Promise.all([webTerminal(name, given), webTerminal(name)]);
    window.terminal = one;
    return given.renew || one.publicKey === other.publicKey ? one.publicKey : 'two keys';
  }, [id, options]);
  return { page, terminal: { id, publicKey } };
}

/** Shows a challenge of the terminal, and answers what its code holds. */
async function shownBy(page) {
  await page.evaluate(() => {
    const element = document.querySelector('stepup-challenge');
    window.heard = [];
    for (const name of ['claimed', 'approved', 'failed']) element.addEventListener(name, ({ detail }) => window.heard.push({ name, detail }));
    element.terminal = window.terminal;
    element.setAttribute('action', 'kiosk_login');
  });
  const code = page.getByRole('img');
  await code.waitFor();
  return readQr(await code.evaluate((drawn) => drawn.outerHTML));
}

const until = async (page, name) => {
  await page.waitForFunction((wanted) => window.heard.some((event) => event.name === wanted), name, { timeout: 10_000 });
  return page.evaluate((wanted) => window.heard.find((event) => event.name === wanted).detail, name);
};

test('a kiosk keeps its key over a new start, and the element makes challenges under it', async () => {
  const { page, terminal } = await openKiosk('kiosk-7');
  await admin.registerTerminal(registration(terminal, NAME));
  await page.close();
  const again = await openKiosk('kiosk-7');
  assert.equal(again.terminal.publicKey, terminal.publicKey);
  const exportable = await again.page.evaluate(() => new Promise((done) => {
    indexedDB.open('stepup-sdk').onsuccess = ({ target }) => {
      target.result.transaction('keys').objectStore('keys').getAll().onsuccess = ({ target: { result } }) => done(result.map(({ name, pair }) => [name, pair.privateKey.extractable]));
    };
  }));
  assert.deepEqual(exportable, [['terminal:kiosk-7', false]]);

  const phone = await enrolledPhone(server, stepup, 'kim');
  const challengeId = await shownBy(again.page);
  const near = { channel: 'nfc', ask: async (question) => (await again.page.evaluate((asked) => document.querySelector('stepup-challenge').near({ ...asked, channel: 'nfc' }), question)).data };
  const { data } = await phone.qrCode.claimChallenge({ challengeId, near });
  assert.deepEqual(data?.context.origin.terminal, { id: 'kiosk-7', name: NAME });
  await phone.qrCode.updateChallenge({ challengeId, approved: true });
  const { token } = await until(again.page, 'approved');
  assert.deepEqual([approvalOf(token).acr, approvalOf(token).terminal], ['qr.proximate', 'kiosk-7']);
  assert.deepEqual(again.page.problems, []);
  await again.page.close();
});

test('a kiosk whose key was revoked says so, and goes on with another', async () => {
  const { page, terminal } = await openKiosk('kiosk-8');
  await admin.registerTerminal(registration(terminal, 'Kiosk 8'));
  await shownBy(page);
  await admin.revokeTerminal({ terminalId: terminal.id });
  await page.getByText('The code is no longer valid.').waitFor();
  await page.getByRole('button', { name: 'Show a new code' }).click();
  assert.equal((await until(page, 'failed')).errorCode, 'terminal_refused');
  await page.close();
  const renewed = await openKiosk('kiosk-8', { renew: true });
  assert.notEqual(renewed.terminal.publicKey, terminal.publicKey);
  await admin.registerTerminal(registration(renewed.terminal, 'Kiosk 8'));
  assert.match(await shownBy(renewed.page), /\/q\//);
  await renewed.page.close();
});

test('the phone page says which terminal shows the code, in every language, and nothing of one where there is none', async () => {
  const pocket = await openBrowser();
  try {
    const { page } = await openKiosk('kiosk-7');
    const phone = await openPage(server, pocket, `/authenticator#enrol=${await enrolmentToken(stepup, 'pia')}`);
    await phone.waitForSelector('#enrol:not([hidden])');
    await phone.click('#do-enrol');
    await phone.waitForSelector('#done:not([hidden])');
    await phone.goto(await shownBy(page));
    await phone.waitForSelector('#request:not([hidden])');
    await until(page, 'claimed');
    const line = phone.locator('#request').getByText(NAME);
    assert.equal(await line.textContent(), `Shown by the terminal: \u2068${NAME}\u2069`);
    await accessible(phone);
    await everyLanguage(phone, { 'request-terminal': 'request.terminal' }, { name: `\u2068${NAME}\u2069` });
    await phone.click('#approve');
    await until(page, 'approved');
    await page.evaluate(() => { document.querySelector('stepup-challenge').terminal = undefined; });
    await page.getByRole('img').waitFor();
    await phone.goto(readQr(await page.getByRole('img').evaluate((drawn) => drawn.outerHTML)));
    await phone.waitForSelector('#request:not([hidden])');
    assert.equal(await phone.isHidden('#request-terminal'), true);
    assert.deepEqual(phone.problems, []);
    await page.close();
  } finally {
    await pocket.close();
  }
});
