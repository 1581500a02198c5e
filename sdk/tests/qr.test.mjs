// What we draw is read by the reader that the phone page uses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { qrSvg } from 'stepup-sdk/web';
import { readQr } from './support.mjs';

const read = (text) => readQr(qrSvg(text));

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
