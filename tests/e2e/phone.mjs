// The phone's side: sends, byte for byte, what the published mobile SDKs send (iOS and Android spellings).

import { createSign, generateKeyPairSync } from 'node:crypto';

const PLATFORMS = {
  ios: {
    // JSONEncoder writes `\/`, leaves nil out; tenant in base64url without padding.
    body: (fields) => JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))).replaceAll('/', '\\/'),
    tenant: (id) => `Basic ${Buffer.from(`${id}:`).toString('base64url')}`,
    query: (key) => Buffer.from(key).toString('base64url'),
    agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AuthsignalIOSSDK/2.13.0',
  },
  android: {
    body: (fields) => JSON.stringify(fields),
    tenant: (id) => `Basic ${Buffer.from(`${id}:`).toString('base64')}`,
    query: (key) => Buffer.from(key).toString('base64'),
    agent: 'Mozilla/5.0 (Linux; Android 14; Google Pixel 8) AuthsignalAndroidSDK/4.3.0',
  },
};

export class Phone {
  constructor(demo, platform = 'ios', kind = 'qr-code') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.demo = demo;
    this.platform = platform;
    this.speak = PLATFORMS[platform];
    this.kind = kind;
    this.path = `/client/user-authenticators/${kind}`;
    this.privateKey = privateKey;
    this.publicKey = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  }

  sign(text) {
    return createSign('SHA256').update(text).sign(this.privateKey).toString('base64');
  }

  async send(method, path, { body, bearer } = {}) {
    const answer = await fetch(`${this.demo.baseUrl}${path}`, {
      method,
      headers: {
        Authorization: bearer ? `Bearer ${bearer}` : this.speak.tenant(this.demo.tenantId),
        'Content-Type': 'application/json',
        'User-Agent': this.speak.agent,
        'X-Authsignal-SDK': this.platform,
        'X-Authsignal-Tenant-ID': this.demo.tenantId,
      },
      body: body === undefined ? undefined : this.speak.body(body),
    });
    return { status: answer.status, json: await answer.json() };
  }

  addCredential(token) {
    return this.send('POST', this.path, { bearer: token, body: { publicKey: this.publicKey, deviceName: 'Test phone', devicePlatform: this.platform, ...(this.kind === 'push' ? { pushToken: 'token/of-this-phone' } : {}) } });
  }

  getCredential() {
    return this.send('GET', `${this.path}?publicKey=${this.speak.query(this.publicKey)}`);
  }

  claim(challengeId) {
    return this.send('POST', `${this.path}/challenge/claim`, { body: { challengeId, publicKey: this.publicKey, signature: this.sign(challengeId) } });
  }

  answer(challengeId, approved) {
    return this.send('POST', `${this.path}/challenge`, { body: { challengeId, publicKey: this.publicKey, approved, signature: this.sign(challengeId), verificationCode: null } });
  }

  pending() {
    return this.send('GET', `${this.path}/challenge?publicKey=${this.speak.query(this.publicKey)}`);
  }

  /** What the app itself asks for, of the tracked action whose token it holds, or of one that it names; signed once. */
  async verifyInApp({ token, action }) {
    const { json } = await this.send('POST', '/client/challenge', { bearer: action ? undefined : token, body: action ? { action } : {} });
    const { challengeId } = json;
    return this.send('POST', '/client/verify/in-app', { bearer: action ? undefined : token, body: { challengeId, publicKey: this.publicKey, signature: this.sign(challengeId) } });
  }

  remove() {
    return this.send('POST', `${this.path}/remove`, { body: { publicKey: this.publicKey, signature: this.sign(`${Math.floor(Date.now() / 1000 / 600)}.0`) } });
  }
}

/** A phone that is enrolled for `userId`, the way a backend and an app do it. */
export async function enrolled(demo, authsignal, userId, platform, kind) {
  const { token } = await authsignal.track({ userId, action: 'device_enrol', attributes: { deviceId: `phone-of-${userId}`, ipAddress: '81.2.69.142', scope: 'add:authenticators' } });
  const phone = new Phone(demo, platform, kind);
  const { status, json } = await phone.addCredential(token);
  if (status !== 200) throw new Error(`enrolment failed: ${JSON.stringify(json)}`);
  phone.credential = json;
  return phone;
}
