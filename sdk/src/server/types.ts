// The words of the wire, as the field's server packages spell them, and what Stepup adds.

/** A flat object; a policy pack declares what it knows. */
export type CustomData = Record<string, unknown>;

/** How an action stands. */
export type ActionState =
  | 'ALLOW'
  | 'BLOCK'
  | 'CHALLENGE_REQUIRED'
  | 'CHALLENGE_SUCCEEDED'
  | 'CHALLENGE_FAILED'
  | 'REVIEW_REQUIRED'
  | 'REVIEW_SUCCEEDED'
  | 'REVIEW_FAILED';

export interface StepupOptions {
  /** The secret of an API key. */
  apiSecretKey: string;
  /** Where the server is, ending in `/v1`. */
  apiUrl: string;
  /** How often a request is sent again after a lost connection, or a GET after a status of 500 and more. Default 2. */
  retries?: number;
}

export interface TrackAttributes {
  idempotencyKey?: string;
  redirectUrl?: string;
  ipAddress?: string;
  userAgent?: string;
  deviceId?: string;
  scope?: string;
  email?: string;
  phoneNumber?: string;
  username?: string;
  locale?: string;
  custom?: CustomData;
  /** When it happened, RFC 3339; for events that arrive late. */
  occurredAt?: string;
}

export interface TrackRequest {
  userId: string;
  action: string;
  attributes?: TrackAttributes;
}

export interface TrackResponse {
  idempotencyKey: string;
  state: ActionState;
  /** The hosted page of the challenge. */
  url: string;
  /** For the screen: it opens the challenge of this action, and nothing else. */
  token: string;
  isEnrolled: boolean;
  enrolledVerificationMethods?: string[];
  allowedVerificationMethods?: string[];
  defaultVerificationMethod?: string;
  ruleIds?: string[];
  /** Ours: the decision's id, which is also its audit entry's. */
  decisionId: string;
  /** Ours: what the policies decided. */
  outcome: 'allow' | 'challenge' | 'block';
  /** Ours: why, in public words. */
  reasons: { code: string; text: string }[];
  policyVersion: string;
  flags: string[];
  /** Ours: the precise words beside those of `enrolledVerificationMethods`, such as `QR_CODE`. */
  enrolledVerificationMethodDetails?: string[];
  /** Ours, with the outcome `challenge`: what the approval must be worth, what it is bound to and what else is shown. */
  challenge?: {
    challengeId?: string;
    level: string;
    bind: { field: string; value: string }[];
    show: { field: string; value: string }[];
    expiresAt?: string;
  };
  /** Ours: what will not be done as asked, such as a return to an origin that is not registered. */
  warnings?: { pointer: string; code: string; detail: string }[];
}

export interface ActionKey {
  userId: string;
  action: string;
  idempotencyKey: string;
}

export interface UpdateActionRequest extends ActionKey {
  attributes: { state: ActionState };
}

export interface ActionSummary {
  actionCode: string;
  idempotencyKey: string;
  createdAt: string;
  updatedAt: string;
  state: ActionState;
  stateUpdatedAt: string;
  verificationMethod?: string;
  verificationMethodDetail?: string;
  verifiedByAuthenticatorId?: string;
}

export interface GetActionResponse extends ActionSummary {
  rules: { ruleId: string; name: string; description: string }[];
  ruleIds: string[];
  priorityRuleId: string | null;
  decisionId: string;
  outcome: 'allow' | 'challenge' | 'block';
  output: Record<string, unknown>;
}

export interface QueryUserActionsRequest {
  userId: string;
  fromDate?: string;
  actionCodes?: string[];
  state?: ActionState;
}

export interface ValidateChallengeRequest {
  /** What the screen got when the challenge was approved. */
  token: string;
  action?: string;
  userId?: string;
  /** Ours: values that must be those which the user saw and signed, such as `{ amount: { value: '20.00', currency: 'EUR' } }`. */
  expect?: CustomData;
}

export interface ValidateChallengeResponse {
  isValid: boolean;
  state?: ActionState;
  stateUpdatedAt?: string;
  userId?: string;
  action?: string;
  actionCode?: string;
  idempotencyKey?: string;
  verificationMethod?: string;
  verificationMethodDetail?: string;
  /** Ours. */
  challengeId?: string;
  decisionId?: string;
  /** Ours: which proof it was, `recovery_code` at the bottom, and what was used. */
  acr?: string;
  amr?: string[];
  /** Ours: the registered terminal that showed the code. */
  terminal?: string;
  /** Ours: who vouches that amount and payee are those that were shown: the phone's signature, our word, or nobody. */
  link?: 'none' | 'server' | 'signed';
  /** Ours: whether it is a strong customer authentication: two factors, where one alone is possession. */
  sca?: boolean;
  error?: string;
  errorCode?: string;
  errorDescription?: string;
  /** Ours: a token validates once. */
  alreadyValidated?: boolean;
}

export interface CreateSessionRequest {
  /** An application of the server's configuration. */
  clientId: string;
  /** What the screen got when the challenge was approved. */
  token: string;
  action?: string;
}

export interface SessionTokens {
  /** A JWT (RFC 9068) that the application's services verify by the JWKS. */
  accessToken: string;
  /** Works once. */
  refreshToken: string;
}

export interface ValidateSessionRequest {
  accessToken: string;
  /** The applications it may be for. */
  clientIds?: string[];
}

export interface ValidateSessionResponse {
  user: UserAttributes & { userId: string };
  /** When the access token expires, in Unix seconds. */
  expiresAt: number;
  verificationMethod: string;
  /** Ours. */
  sessionId: string;
  clientId: string;
  acr: string;
  amr: string[];
  authenticatedAt: string;
  sessionExpiresAt: string;
}

export interface UserAttributes {
  email?: string;
  emailVerified?: boolean;
  phoneNumber?: string;
  phoneNumberVerified?: boolean;
  username?: string;
  displayName?: string;
  locale?: string;
  custom?: CustomData;
}

export interface GetUserResponse extends UserAttributes {
  userId: string;
  isEnrolled: boolean;
  enrolledVerificationMethods?: string[];
  allowedVerificationMethods?: string[];
  defaultVerificationMethod?: string;
  /** Ours: the precise words beside those of `enrolledVerificationMethods`, such as `QR_CODE`. */
  enrolledVerificationMethodDetails?: string[];
  /** Ours: how many recovery codes are good. */
  recoveryCodesLeft?: number;
}

export interface EnrollVerifiedAuthenticatorRequest {
  userId: string;
  attributes: { verificationMethod: 'RECOVERY_CODE' };
}

export interface EnrollVerifiedAuthenticatorResponse {
  authenticator: UserAuthenticator;
  recoveryCodes: string[];
}

export interface ResetUserRequest {
  userId: string;
  /** Why, and who decided it: for the record. */
  reason: string;
  author: string;
  /** For how many seconds a new phone may be enrolled. Default a day. */
  enrolWithinS?: number;
  /** Goes ahead though a policy blocks the recovery. */
  overrule?: boolean;
  /** Where the request came from, if not from this backend. */
  ipAddress?: string;
  idempotencyKey?: string;
}

export interface ResetUserResponse {
  resetId: string;
  userId: string;
  reason: string;
  author: string;
  createdAt: string;
  /** Until when a phone may be enrolled. */
  enrolUntil: string;
  revokedAuthenticators: number;
  revokedRecoveryCodes: number;
  cancelledChallenges: number;
  /** It was done before: nothing changed. */
  repeated: boolean;
}

export interface QueryUsersRequest {
  username?: string;
  email?: string;
  phoneNumber?: string;
  token?: string;
  limit?: number;
  lastEvaluatedUserId?: string;
}

export interface QueryUsersResponse {
  users: ({ userId: string } & UserAttributes)[];
  lastEvaluatedUserId?: string;
  tokenPayload?: Record<string, unknown>;
}

export interface UserAuthenticator {
  userId: string;
  userAuthenticatorId: string;
  verificationMethod: string;
  verificationMethodDetail?: string;
  createdAt: string;
  verifiedAt?: string;
  lastVerifiedAt?: string;
  displayName?: string;
  /** What the phone's maker said of the key, where the tenant records it: `provider`, and `facts` or why it was `refused`. */
  attestation?: { provider: string | null; evidence: string; facts?: Record<string, unknown>; /** Why true evidence does not count. */ lacks?: 'unbound' | 'unsigned' | 'any-signer'; refused?: string };
  /** What was proven: `unattested`, or `{ hardware: { unlock } }`. */
  keyProtection?: 'unattested' | { hardware: { unlock: 'nothing' | 'pin' | 'biometric' | 'pinOrBiometric' } };
}

export interface GetChallengeRequest {
  challengeId?: string;
  userId?: string;
  action?: string;
  verificationMethod?: string;
}

/** Empty when no challenge is open. */
export interface GetChallengeResponse {
  challengeId?: string;
  /** Seconds since 1970. */
  expiresAt?: number;
  verificationMethod?: string;
  verificationMethodDetail?: string;
  action?: string;
  state?: string;
}

export interface UserDevice {
  userId: string;
  deviceId: string;
  createdAt: string;
  authenticatedAt?: string;
  invalidatedAt?: string;
  rememberedUntil?: string;
  lastVerificationMethod?: string;
  lastVerificationMethodDetail?: string;
}

export interface UpdateDeviceRequest {
  userId: string;
  deviceId: string;
  /** A time to come, RFC 3339, or `null` to forget. */
  attributes: { rememberedUntil: string | null };
}

export interface DecisionSummary {
  decisionId: string;
  userId: string;
  actionCode: string;
  idempotencyKey: string;
  outcome: 'allow' | 'challenge' | 'block';
  state: ActionState;
  rules: unknown[];
  reasons: unknown[];
  flags: string[];
  policyVersion: string;
  createdAt: string;
  stateUpdatedAt: string;
  /** Its number in the audit log. */
  auditEntry: number;
  challengeId?: string;
  verificationMethod?: string;
  verificationMethodDetail?: string;
  verifiedByAuthenticatorId?: string;
}

export interface Decision extends DecisionSummary {
  signals?: Record<string, unknown>;
  verdict?: Record<string, unknown>;
  trace?: unknown;
  /** The user was deleted, and with them what was read. */
  erased?: boolean;
  /** What the phone was shown, and what it signed. */
  challenge?: Record<string, unknown>;
}

export interface QueryDecisionsRequest {
  user?: string;
  action?: string;
  outcome?: 'allow' | 'challenge' | 'block';
  state?: ActionState;
  rule?: string;
  reason?: string;
  from?: string;
  to?: string;
  limit?: number;
  cursor?: string;
}

export interface CheckPoliciesResponse {
  ok: boolean;
  version: string | null;
  diagnostics: unknown[];
  /** The same for people. */
  text: string;
}

export interface ListEntry {
  list: string;
  value: string;
  reason: string | null;
  author: string;
  createdAt: string;
  expiresAt: string | null;
}

/** Where a terminal stands: what phones are told, and what distances are measured from. */
export interface TerminalPlace {
  /** ISO 3166-1 alpha-2. */
  country: string;
  region?: string | null;
  city?: string | null;
  /** In degrees (WGS 84); both or neither. */
  latitude?: number;
  longitude?: number;
}

/** A pack, byte by byte. */
export interface PolicyText {
  version: string;
  /** Whether decisions are made by it now. */
  inForce: boolean;
  /** The text of each file, by its path. */
  files: Record<string, string>;
  /** Files that are no UTF-8, as base64. */
  binary?: Record<string, string>;
}

export interface RegisterTerminalRequest {
  terminalId: string;
  /** Base64 of the SubjectPublicKeyInfo of its P-256 key: `publicKey` of `webTerminal`. */
  publicKey: string;
  /** What people read on their phones. */
  name: string;
  place?: TerminalPlace;
}

export interface RegisteredTerminal extends RegisterTerminalRequest {
  keyThumbprint: string;
  registeredBy: string;
  registeredAt: string;
  /** Only of a key that was taken back, for good. */
  revokedAt?: string;
}

export interface TerminalChange extends RegisteredTerminal {
  /** How many challenges were on its screen and are cancelled. */
  cancelledChallenges: number;
}

export interface AddListEntryRequest {
  list: string;
  value: string;
  reason?: string;
  expiresAt?: string;
}

export interface WebhookEndpoint {
  name: string;
  url: string;
  events: string[];
  waiting: number;
}

export interface DeadLetter {
  id: string;
  endpoint: string;
  type: string;
  time: string;
  data: Record<string, unknown>;
  attempts: number;
  failure: string | null;
  diedAt: string;
}
