// The examples of the README run as they stand there, against a real server: only its address is put in.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { memoryKeyStore } from 'stepup-sdk/mobile';
import { Stepup } from 'stepup-sdk/server';
import { WebSocket } from 'ws';
import { withDemo } from '../../tests/e2e/harness.mjs';
import { enrolledPhone, enrolmentToken, open, poll, readQr, registration, startWithAdministrator, terminal, withdrawal } from './support.mjs';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const amount = { value: '250.00', currency: 'EUR' };
let demo;
let stepup;

withDemo(Stepup, (started, backend) => { [demo, stepup] = [started, backend]; });

/** The examples in a language under a heading, with this server's address. */
function examples(heading, language) {
  const section = readme.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const found = [...section.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, code]) => code.replace('https://mfa.example.com/v1', demo.baseUrl));
  assert.notEqual(found.length, 0, `no example in ${language} under ${heading}`);
  for (const code of found) assert.ok(code.split('\n').length <= 7, code);
  return found;
}

/** Runs an example with these names at hand; answers what it made of `wanted`. */
function run(code, names, wanted) {
  const body = code.replace(/^import (\{[^}]*\}) from ('[^']*');$/gm, (_, imported, door) => `const ${imported} = await load(${door});`);
  const AsyncFunction = (async () => {}).constructor;
  const at = { load: (door) => import(door), ...names };
  return new AsyncFunction(...Object.keys(at), `${body}\nreturn { ${wanted} };`)(...Object.values(at));
}

/** The token of a withdrawal that the user's phone has approved. */
async function approved(userId) {
  const phone = await enrolledPhone(demo, stepup, userId);
  const screen = await open(demo, (await withdrawal(stepup, userId)).token);
  await phone.qrCode.claimChallenge(screen);
  await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true });
  return (await poll(demo, screen)).accessToken;
}

test('a backend', async () => {
  const [code] = examples('A backend:', 'js');
  const result = await approved('reader');
  const names = { process: { env: { STEPUP_SECRET: demo.apiSecret } }, userId: 'reader', ipAddress: '81.2.69.142', amount, payee: 'p1', result };
  assert.deepEqual(await run(code, names, 'state, isValid'), { state: 'CHALLENGE_REQUIRED', isValid: true });
});

test('a phone', async () => {
  const [scans, pushed, inside] = examples('A phone:', 'js');
  const device = async (userId) => ({ userId, tenantId: demo.tenantId, token: await enrolmentToken(stepup, userId) });
  // A browser's key store is not in Node.js; the one for tests has the same face.
  const load = async (door) => ({ ...(await import(door)), webKeyStore: memoryKeyStore });

  const scanner = await device('scanner');
  const tracked = async (userId) => (await withdrawal(stepup, userId)).token;
  // What the person will scan.
  const payment = await withdrawal(stepup, scanner.userId);
  const screen = await open(demo, payment.token);
  const scanned = await run(scans, { load, ...scanner, scanned: screen.challengeId }, 'data, errorCode');
  assert.deepEqual([scanned.errorCode, scanned.data.context.user], [undefined, 'scanner']);
  assert.equal((await poll(demo, screen)).isVerified, true);

  const { Stepup: Phone } = await import('stepup-sdk/mobile');
  const { userId, tenantId, token } = await device('carrier');
  const phone = new Phone({ tenantId, baseUrl: demo.baseUrl, keyStore: memoryKeyStore() });
  // The message goes out when a page asks for it, which needs a phone that takes it.
  const push = Object.create(phone.push);
  push.addCredential = async (input) => {
    const added = await phone.push.addCredential(input);
    const page = { method: 'POST', headers: { Authorization: `Bearer ${await tracked(userId)}`, 'Content-Type': 'application/json' }, body: '{}' };
    assert.equal((await fetch(`${demo.baseUrl}/client/challenge/push`, page)).status, 200);
    return added;
  };
  for (const method of ['getChallenge', 'updateChallenge']) push[method] = (input) => phone.push[method](input);
  const answered = await run(pushed, { stepup: { push, inApp: phone.inApp }, token, pushToken: 'apns/1' }, 'data, errorCode, inApp');
  assert.deepEqual([answered.errorCode, answered.data.context.user], [undefined, 'carrier']);

  let asked;
  const ask = async (context) => { asked = context.user; return true; };
  const { data } = await run(inside, { inApp: phone.inApp, stepup: phone, token, tracked: await tracked(userId), ask }, 'data');
  assert.equal(asked, 'carrier');
  assert.equal((await stepup.validateChallenge({ token: data.token, action: 'withdrawal', userId })).isValid, true);
});

test('a web page', async () => {
  globalThis.WebSocket = WebSocket;
  const [code] = examples('A web page:', 'js');
  const shown = {};
  const { token } = await withdrawal(stepup, 'visitor');
  const made = await run(code, { tenantId: demo.tenantId, token, document: { querySelector: () => shown } }, 'data, stepup');
  made.stepup.qrCode.disconnect();
  assert.match(made.data.challengeId, /^[0-9a-f-]{36}$/);
  assert.match(shown.innerHTML, /^<svg/);
});

test('a terminal and the radio between it and a phone', async () => {
  globalThis.WebSocket = WebSocket;
  const administered = await startWithAdministrator();
  try {
    const [screen, hears, asks] = examples('A terminal:', 'js').map((code) => code.replaceAll(demo.baseUrl, administered.baseUrl));
    const kiosk = terminal('kiosk-7');
    await new Stepup({ apiSecretKey: administered.adminSecret, apiUrl: administered.baseUrl }).registerTerminal(registration(kiosk, 'Kiosk 7'));
    // Browsers keep keys, Node.js does not.
    const load = async (door) => ({ ...(await import(door)), webTerminal: async () => kiosk });
    const shown = {};
    const states = [];
    const names = { load, tenantId: administered.tenantId, document: { querySelector: () => shown }, onStateChange: (state) => states.push(state) };
    const { qrCode, errorCode } = await run(screen, names, 'qrCode, errorCode');
    assert.equal(errorCode, undefined);
    const radio = { ask: (question) => radio.onQuestion(question) };
    await run(hears, { radio, qrCode }, '');
    const phone = await enrolledPhone(administered, new Stepup({ apiSecretKey: administered.apiSecret, apiUrl: administered.baseUrl }), 'stander');
    const scanned = readQr(shown.innerHTML);
    const claimed = await run(asks, { radio, qrCode: phone.qrCode, scanned }, 'data, errorCode');
    assert.deepEqual([claimed.errorCode, claimed.data?.context.origin.terminal], [undefined, { id: 'kiosk-7', name: 'Kiosk 7' }]);
    await phone.qrCode.updateChallenge({ challengeId: scanned, approved: true });
    while (!states.includes('approved')) await new Promise((done) => { setTimeout(done, 20); });
  } finally {
    await administered.stop();
  }
});

test('a backend in Python', async () => {
  const [code] = examples('A backend in Python:', 'python');
  const given = { secret: demo.apiSecret, user_id: 'snake', ip: '81.2.69.142', amount, payee: 'p1', result: await approved('snake') };
  const names = Object.entries(given).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`).join('');
  const cwd = fileURLToPath(new URL('../python', import.meta.url));
  const { stdout } = await promisify(execFile)('python3', ['-B', '-c', `${names}${code}print(tracked["state"], answer["isValid"])`], { cwd });
  assert.equal(stdout, 'CHALLENGE_REQUIRED True\n');
});
