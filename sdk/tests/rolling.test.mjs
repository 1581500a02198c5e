// A rolling code over the time of two clocks.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { RollingCode } from '../dist/esm/web/rolling.js';

const STEP = 15_000;
/** What the server sends `at` its own time, in milliseconds since the challenge was made. */
const sent = (at, ahead = 4) => {
  const first = Math.floor(at / STEP);
  return { stepSeconds: 15, steps: Array.from({ length: ahead }, (_, place) => ({ from: new Date((first + place) * STEP).toISOString(), url: `step-${first + place}` })) };
};

for (const skew of [0, -3_600_000, 3_600_000]) {
  test(`a clock that is ${skew / 60_000} minutes off draws each step in its time`, (context) => {
    context.after(() => mock.timers.reset());
    mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 10_000_000 });
    const drawn = [];
    const code = new RollingCode((text) => drawn.push(text));
    if (skew) mock.timers.setTime(10_000_000 + skew);
    const begun = Date.now();
    const now = () => Date.now() - begun;
    code.take(sent(now()));
    assert.deepEqual(drawn, ['step-0']);
    for (let second = 1; second <= 120; second += 1) {
      mock.timers.tick(1000);
      if (second % 30 === 0) code.take(sent(now()));
      // What is on the screen is the server's step of now, or the one before, which it takes as well.
      const step = Math.floor(now() / STEP);
      assert.ok([step, step - 1].map((one) => `step-${one}`).includes(drawn.at(-1)), `${second}: ${drawn.at(-1)}`);
    }
    assert.equal(new Set(drawn).size, drawn.length, 'each is drawn once');
    assert.ok(drawn.length >= 8, drawn.join(' '));
    code.stop();
    mock.timers.tick(60_000);
    assert.ok(drawn.length <= 9);
  });
}

test('nothing is drawn of an answer without steps', () => {
  const code = new RollingCode(() => assert.fail('drawn'));
  for (const qr of [undefined, { stepSeconds: 15, steps: [] }, { stepSeconds: 15, steps: [{ from: 'never', url: 'x' }] }]) code.take(qr);
});
