// What we draw is read by the reader that the phone page uses.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { qrSvg } from 'stepup-sdk/web';

const require = createRequire(import.meta.url);
const jsQR = require('../../server/assets/vendor/jsqr.js');

/** The pixels of an SVG of ours, four to a module. */
function pixels(svg) {
  const size = Number(/viewBox="0 0 (\d+)/.exec(svg)[1]);
  const scale = 4;
  const side = size * scale;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  const dark = svg.slice(svg.lastIndexOf(' d="'));
  for (const [, left, top, width] of dark.matchAll(/M(\d+) (\d+)h(\d+)v1/g))
    for (let y = top * scale; y < (Number(top) + 1) * scale; y += 1)
      for (let x = left * scale; x < (Number(left) + Number(width)) * scale; x += 1) data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
  return [data, side, side];
}

const read = (text) => (jsQR.default ?? jsQR)(...pixels(qrSvg(text)))?.data;

test('every length up to the most is read back', () => {
  for (let length = 1; length <= 213; length += 1) {
    let text = '';
    for (let at = 0; at < length; at += 1) text += String.fromCharCode(33 + ((at * 31 + length * 17) % 90));
    assert.equal(read(text), text, `${length} bytes`);
  }
});

test('a challenge, a link and text beyond ASCII are read back', () => {
  for (const text of ['7b0e9a44-5a0c-4b52-9f0e-1d5f4d8f7a10', 'https://mfa.example.com/q/7b0e9a44-5a0c-4b52-9f0e-1d5f4d8f7a10#123456', 'Überweisung: 250 €, 金額']) assert.equal(read(text), text);
});

test('more is refused', () => {
  assert.throws(() => qrSvg('x'.repeat(214)), RangeError);
});

test('a title is no markup', () => {
  assert.ok(!qrSvg('x', { title: '"><script>' }).includes('<script'));
});
