// For a phone: it holds a key for each kind of challenge, shows what is asked, and signs the answer.
//
// Version 2 signs what was shown, for this claim, by this key (see the design of messages). Version 1 signs the id alone, as
// stock phones do; a policy may refuse it.

import { tokenOf } from '../shared/token.js';
import { InApp } from './in-app.js';
import { Push } from './push.js';
import { QrCode } from './qr-code.js';
import type { StepupMobileOptions } from './types.js';

export type { StepupResponse } from '../shared/http.js';
export { memoryKeyStore, reactNativeKeyStore, webKeyStore } from './stores.js';
export type { Attestation, KeyStore, NativeKeys, TextStorage } from './stores.js';
export type * from './types.js';
export type { InApp } from './in-app.js';
export type { Push } from './push.js';
export type { QrCode } from './qr-code.js';

/** A client of one tenant on one phone. */
export class Stepup {
  /** Challenges that the phone scans. */
  readonly qrCode: QrCode;
  /** Challenges that are sent to it. */
  readonly push: Push;
  /** Challenges that the app asks for itself. */
  readonly inApp: InApp;

  constructor(options: StepupMobileOptions) {
    this.qrCode = new QrCode(options);
    this.push = new Push(options);
    this.inApp = new InApp(options);
  }

  /** The same under the names of React Native packages. */
  get qr(): QrCode {
    return this.qrCode;
  }

  get inapp(): InApp {
    return this.inApp;
  }

  /** The token of `track`, or the `url` that holds it: what `addCredential` enrols with and `inApp.verify` approves. */
  setToken(tokenOrUrl: string): void {
    const token = tokenOf(tokenOrUrl);
    for (const kind of [this.qrCode, this.push, this.inApp]) kind.token = token;
  }
}
