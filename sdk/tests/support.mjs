// What the tests share: an enrolled phone, a tracked withdrawal, and a screen that polls by hand.

import { createRequire } from 'node:module';
import { memoryKeyStore, Stepup as Phone } from 'stepup-sdk/mobile';

/** A token that lets a phone of `userId` in. */
export async function enrolmentToken(stepup, userId) {
  const { token } = await stepup.track({ userId, action: 'device_enrol', attributes: { deviceId: `phone-of-${userId}`, ipAddress: '81.2.69.142', scope: 'add:authenticators' } });
  return token;
}

/** A phone of ours that is enrolled for `userId`. */
export async function enrolledPhone(demo, stepup, userId, options = {}) {
  const token = await enrolmentToken(stepup, userId);
  const phone = new Phone({ tenantId: demo.tenantId, baseUrl: demo.baseUrl, keyStore: memoryKeyStore(), ...options });
  const added = await phone.qrCode.addCredential({ token, deviceName: 'Test phone' });
  if (!added.data) throw new Error(`enrolment failed: ${JSON.stringify(added)}`);
  return phone;
}

export const withdrawal = (stepup, userId, attributes = {}) =>
  stepup.track({ userId, action: 'withdrawal', attributes: { ipAddress: '81.2.69.142', deviceId: 'd1', custom: { amount: { value: '250.00', currency: 'EUR' }, payee: 'p1' }, ...attributes } });

const post = async (demo, path, authorization, body) => {
  const answer = await fetch(demo.baseUrl + path, { method: 'POST', headers: { Authorization: authorization, 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  return answer.json();
};

/** Opens the challenge of a track token, as a screen does; and asks what became of it. */
export const open = (demo, token) => post(demo, '/client/challenge/qr-code', `Bearer ${token}`, { action: actionOf(token) });

const actionOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).other.actionCode;
/** The same for whoever scans. */
export const kiosk = (demo) => post(demo, '/client/challenge/qr-code', `Basic ${btoa(demo.tenantId)}`, { action: 'kiosk_login' });
export const poll = (demo, { challengeId, deviceCode }) => post(demo, '/client/verify/qr-code', `Basic ${btoa(demo.tenantId)}`, { challengeId, deviceCode });

/** The claims of a result token. */
export const approvalOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());

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

/** What a code of ours holds, as the reader of the phone page reads it. */
export const readQr = (svg) => (jsQR.default ?? jsQR)(...pixels(svg))?.data;
