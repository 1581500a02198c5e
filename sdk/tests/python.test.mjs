// The Python client, against a real server. The phone is ours.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Stepup } from 'stepup-sdk/server';
import { startDemo } from '../../tests/e2e/harness.mjs';
import { enrolledPhone, open, poll, withdrawal } from './support.mjs';

let demo;

before(async () => { demo = await startDemo(); });
after(() => demo.stop());

test('the unittest suite passes', async () => {
  const stepup = new Stepup({ apiSecretKey: demo.apiSecret, apiUrl: demo.baseUrl });
  const phone = await enrolledPhone(demo, stepup, 'python');
  const approved = async () => {
    const screen = await open(demo, (await withdrawal(stepup, 'python')).token);
    await phone.qrCode.claimChallenge(screen);
    await phone.qrCode.updateChallenge({ challengeId: screen.challengeId, approved: true });
    return (await poll(demo, screen)).accessToken;
  };
  const env = { ...process.env, STEPUP_URL: demo.baseUrl, STEPUP_SECRET: demo.apiSecret, STEPUP_RESULT_TOKEN: await approved(), STEPUP_SESSION_TOKEN: await approved() };
  const cwd = fileURLToPath(new URL('../python', import.meta.url));
  const { stderr } = await promisify(execFile)('python3', ['-B', '-m', 'unittest', 'test_stepup'], { cwd, env });
  assert.match(stderr, /Ran 12 tests[^]*OK/);
});
