// What goes into the calls of a phone, and what comes out.

import type { KeyStore } from './stores.js';

export interface StepupMobileOptions {
  tenantId: string;
  /** Where the server is, ending in `/v1`. */
  baseUrl: string;
  keyStore: KeyStore;
  /** How this phone signs. Default 2. */
  signatureVersion?: 1 | 2;
  /** `ios`, `android` or `web`: what the backend sees in its list of phones. */
  platform?: string;
  /** Tells apart the keys of several people on one phone. */
  username?: string;
}

/** What is known of an enrolled key. */
export interface AppCredential {
  /** The same as `userAuthenticatorId`. */
  credentialId: string;
  userAuthenticatorId: string;
  userId: string;
  verifiedAt: string;
  lastVerifiedAt?: string;
  expiresAt?: string;
  /** With `showsRecoveryCodes`, if the person had none: show them now, they are kept nowhere. */
  recoveryCodes?: string[];
}

/** One thing that the person is asked about. */
export interface Detail {
  field: string;
  value: string;
}

/** Where the challenge was made. */
export interface Origin {
  ip: string | null;
  country: string | null;
  region: string | null;
  city: string | null;
  device: string | null;
  userAgent: string | null;
  /** Only of a registered terminal: show its name. No other screen can have it. */
  terminal?: { id: string; name: string };
}

/** A radio with which this phone can ask the terminal that shows the code whether it is beside it. */
export interface Near {
  channel: 'nfc' | 'ble' | 'uwb';
  /** Takes the question to the terminal, over the radio and by no other way; answers what it signed, in base64, or nothing where nobody answers. */
  ask(question: { challengeId: string; /** Made for this claim: 16 bytes, base64url. */ nonce: string }): Promise<string | undefined>;
}

export interface ClaimChallengeInput {
  /** The scanned text. */
  challengeId: string;
  /** Only in version 2: asked before the challenge is taken. */
  near?: Near;
}

/** What the person is asked, read out of the very bytes that will be signed. */
export interface Context {
  version: 2;
  tenant: string;
  challenge: string;
  action: string;
  idempotencyKey: string | null;
  user: string | null;
  level: string;
  origin: Origin;
  custom: Record<string, unknown>;
  /** The details that the approval is bound to: show them large. */
  bind: Detail[];
  show: Detail[];
  /** Places in this text that mix scripts, as forgeries do: show a warning. */
  mixedScript: string[];
  createdAt: string;
  expiresAt: string;
}

export interface ClaimChallengeResponse {
  success: boolean;
  ipAddress?: string;
  userAgent?: string;
  actionCode?: string;
  idempotencyKey?: string;
  custom?: Record<string, unknown>;
  user?: { custom?: Record<string, unknown> };
  /** Only in version 2. */
  context?: Context;
  /** Whether the person must type the number that the screen shows. */
  needsCode?: boolean;
  /** Only in version 2: the person's phones that were added after this one last approved. Show them: one may be a thief's. */
  phonesAdded?: { deviceName: string | null; devicePlatform: string; addedAt: string }[];
}

/** A challenge that was sent to this phone. */
export interface AppChallenge {
  challengeId: string;
  userId: string;
  actionCode?: string;
  idempotencyKey?: string;
  ipAddress?: string;
  userAgent?: string;
  deviceId?: string;
  custom?: Record<string, unknown>;
  user?: { custom?: Record<string, unknown> };
  /** Seconds since 1970. */
  expiresAt?: number;
  /** Only in version 2: show this. */
  context?: Context;
  /** Only in version 2: this phone has it already, and the person must type the number that the screen shows. */
  needsCode?: boolean;
}

export interface AddCredentialInput {
  /** Of a `track` with the scope `add:authenticators`, or the `url` that holds it; without it the one of `setToken`. */
  token?: string;
  deviceName?: string;
  showsRecoveryCodes?: boolean;
  /** Where messages to this phone go: the backend gets it with each push. Only of a key for pushes. */
  pushToken?: string;
  username?: string;
}

export interface UpdateChallengeInput {
  challengeId: string;
  approved: boolean;
  /** The digits that the person typed, if `needsCode` was true. */
  verificationCode?: string | null;
}

export interface UpdateCredentialInput {
  /** Where messages to this phone go from now on. */
  pushToken?: string;
  /** Whether the time after which an unused key ends begins anew. */
  resetExpiry?: boolean;
}

export interface InAppVerifyInput {
  /** The action, where no `track` comes before: whoever holds the key is the user. Without it the token of `setToken` says what is approved. */
  action?: string;
  username?: string;
  /** Only in version 2: asked with what the person must be shown, before anything is approved. Without it the app has shown it by itself. */
  confirm?: (request: ClaimChallengeResponse) => boolean | Promise<boolean>;
}

export interface InAppVerifyResponse {
  /** For the backend to validate. */
  token: string;
  userId: string;
  userAuthenticatorId: string;
  username?: string;
}
