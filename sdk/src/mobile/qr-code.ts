// The phone's side of a QR challenge: it takes what it scanned, shows it, and answers.

import { answered, StepupError, type StepupResponse } from '../shared/http.js';
import { Credential } from './credential.js';
import type { Pinned } from './credential.js';
import { scannedIn, signerOf, type Scanned } from './scanned.js';
import type { ClaimChallengeInput, ClaimChallengeResponse, StepupMobileOptions, UpdateChallengeInput } from './types.js';

/** Nothing here throws: a refusal is in the answer. */
export class QrCode extends Credential {
  readonly #scanned = new Map<string, Scanned>();

  constructor(options: StepupMobileOptions) {
    super('qr-code', options);
  }

  /**
   * Takes a challenge for this phone and answers what the person must be shown. `challengeId` is the scanned text: the bare id, the
   * link that the server's own page draws, or its signed rolling code. One that was on the screen too long ago is the error
   * `qr_stale`: scan again. With `near` the terminal that shows it says over a radio that this phone is beside it; what another
   * terminal or another claim was told is the error `invalid_proximity`.
   */
  claimChallenge({ challengeId: text, near }: ClaimChallengeInput): Promise<StepupResponse<ClaimChallengeResponse>> {
    return answered(async () => {
      if (near && !this.isVersion2) throw new StepupError(0, 'invalid_request', '`near` needs version 2');
      const pinned = await this.#knowing(text, await this.needed());
      const scanned = scannedIn(text, pinned.issuer || this.options.baseUrl, pinned.qrKeys ?? [], Date.now());
      this.#scanned.set(text, scanned);
      const { challenge, code } = scanned;
      if (this.isVersion2) return this.claim(pinned, challenge, { code, near });
      const body = { challengeId: challenge, publicKey: pinned.publicKey, signature: await this.sign(pinned, challenge) };
      return this.post<ClaimChallengeResponse>(`${this.path}/challenge/claim`, body);
    });
  }

  /** A phone that was not used while the key for codes changed asks its own server for the new one: nothing of the code is sent. */
  async #knowing(text: string, pinned: Pinned): Promise<Pinned> {
    const kid = signerOf(text, pinned.issuer || this.options.baseUrl);
    const known = kid === undefined || (pinned.qrKeys ?? []).some((key) => key.kid === kid);
    return known ? pinned : this.relearned(pinned);
  }

  /** Signs and sends the answer to a claimed challenge. `data` says whether it is approved. */
  updateChallenge({ challengeId: text, approved, verificationCode }: UpdateChallengeInput): Promise<StepupResponse<boolean>> {
    return answered(async () => {
      const pinned = await this.needed();
      // What was read when it was claimed counts: by now the code may have run out, and the challenge not.
      const { challenge } = this.#scanned.get(text) ?? scannedIn(text, pinned.issuer || this.options.baseUrl, pinned.qrKeys ?? [], Date.now());
      if (this.isVersion2 && !this.claimed(challenge)) throw new StepupError(0, 'not_claimed', 'claim the challenge, show its context, and answer then');
      const approval = await this.answer(pinned, challenge, approved, verificationCode);
      this.#scanned.delete(text);
      return approval;
    });
  }
}
