// The examples of the README run as they stand there, against a real server: only its address is put in.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { memoryKeyStore } from 'stepup-sdk/mobile';
import { Stepup } from 'stepup-sdk/server';
import { WebSocket } from 'ws';
import { startDemo } from '../../tests/e2e/harness.mjs';
import { enrolledPhone, enrolmentToken, open, poll, withdrawal } from './support.mjs';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const amount = { value: '250.00', currency: 'EUR' };
let demo;
let stepup;

before(async () => {
  demo = await startDemo();
  stepup = new Stepup({ apiSecretKey: demo.apiSecret, apiUrl: demo.baseUrl });
});
after(() => demo.stop());

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

test('a backend in Python', async () => {
  const [code] = examples('A backend in Python:', 'python');
  const given = { secret: demo.apiSecret, user_id: 'snake', ip: '81.2.69.142', amount, payee: 'p1', result: await approved('snake') };
  const names = Object.entries(given).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`).join('');
  const cwd = fileURLToPath(new URL('../python', import.meta.url));
  const { stdout } = await promisify(execFile)('python3', ['-B', '-c', `${names}${code}print(tracked["state"], answer["isValid"])`], { cwd });
  assert.equal(stdout, 'CHALLENGE_REQUIRED True\n');
});
