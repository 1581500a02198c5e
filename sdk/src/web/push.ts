// For a web page whose user confirms on a phone that a message is sent to: it asks for the message, and how it stands.

import { answered, send, StepupError, type StepupResponse } from '../shared/http.js';
import { readToken } from '../shared/token.js';

export interface PushVerifyResponse {
  isVerified: boolean;
  /** Whether it is over, whatever the end. */
  isConsumed: boolean;
  state: 'unclaimed' | 'claimed' | 'approved' | 'rejected' | 'expired' | 'superseded';
  expiresAt: string;
  /** For the backend to validate. */
  token?: string;
  /** A policy asks the phone for these two digits: show them, large, beside "type this on your phone". */
  matchCode?: string;
}

/** Nothing here throws: a refusal is in the answer. */
export class Push {
  /** @internal */
  token: string | undefined;

  constructor(private readonly baseUrl: string) {}

  /** Has the challenge of the token's action sent to the user's phones. One that was sent already is not sent again. */
  challenge({ action }: { action?: string } = {}): Promise<StepupResponse<{ challengeId: string }>> {
    return answered(async () => {
      const named = action ?? readToken(this.#needed()).other?.actionCode;
      return this.#post<{ challengeId: string }>('/client/challenge/push', { ...(named === undefined ? {} : { action: named }) });
    });
  }

  /** How it stands; ask every second or two. */
  verify({ challengeId }: { challengeId: string }): Promise<StepupResponse<PushVerifyResponse>> {
    return answered(async () => {
      type Wire = Omit<PushVerifyResponse, 'token'> & { accessToken?: string };
      const { accessToken, ...answer } = await this.#post<Wire>('/client/verify/push', { challengeId });
      return accessToken === undefined ? answer : { ...answer, token: accessToken };
    });
  }

  #needed(): string {
    if (this.token === undefined) throw new StepupError(0, 'token_not_set', 'set the token of `track` first');
    return this.token;
  }

  #post<T>(path: string, body: object): Promise<T> {
    return send<T>({ method: 'POST', url: this.baseUrl + path, authorization: `Bearer ${this.#needed()}`, body });
  }
}
