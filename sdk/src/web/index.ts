// For a web page: it opens a challenge, shows its id as a QR code, and hears what becomes of it, by WebSocket or by polling.

import { toBase64, utf8 } from '../shared/bytes.js';
import { answered, base, refused, send, StepupError, type Refusal, type StepupResponse } from '../shared/http.js';
import { readToken, tokenOf } from '../shared/token.js';
import { Push } from './push.js';
import { RollingCode, type RollingQr } from './rolling.js';
import { TerminalMessages, type Issued, type NearQuestion, type SignedRequest, type Terminal } from './terminal.js';

export type { StepupResponse } from '../shared/http.js';
export type { Push, PushVerifyResponse } from './push.js';
export { qrSvg } from './qr.js';
export { webTerminal } from './terminal.js';
export type { Channel, NearQuestion, Terminal } from './terminal.js';

export type ChallengeState = 'unclaimed' | 'claimed' | 'approved' | 'rejected' | 'expired' | 'superseded';

export interface ChallengeParams {
  /** The action; with a token it is the tracked one if absent. */
  action?: string;
  /** Only without a token: what the screen itself knows. */
  custom?: Record<string, unknown>;
  /** This screen is a registered terminal, and makes its challenges under its key: phones show its name, and rules know it. */
  terminal?: Terminal;
  /** Ask every few seconds instead of listening. A socket that cannot be opened or breaks is replaced by polling anyway. */
  polling?: boolean;
  /** Milliseconds between two polls. Default 3000. */
  pollInterval?: number;
  /** Milliseconds after which a code that nobody claimed is replaced; 0 never. Default 540000: nine of the ten minutes that a code lives. */
  refreshInterval?: number;
  /** The code on show was replaced: draw this one. */
  onRefresh?: (challengeId: string, expiresAt: string) => void;
  /** A policy asks whoever claimed the challenge for these two digits: show them, large, beside "type this on your phone". */
  onMatchCode?: (matchCode: string) => void;
  /**
   * Given, the code rolls: it holds a signed link that is another one every quarter of a minute, so that a photograph of it is worth
   * nothing. Draw the text each time. Phones with `stepup-sdk/mobile` and the server's own phone page read it; stock apps do not.
   */
  onQrCode?: (text: string) => void;
  /** Who took a code that was for anybody, masked: "J••• has it" tells the right person that somebody else was faster. */
  onClaimedBy?: (claimer: { name: string; devicePlatform: string | null }) => void;
  onStateChange: (state: ChallengeState, accessToken?: string) => void;
}

export interface QrCodeChallengeResponse {
  /** What the QR code holds. */
  challengeId: string;
  expiresAt: string;
  state: ChallengeState;
}

export interface RecoveryResponse {
  /** Whether the challenge is passed. */
  isVerified: boolean;
  /** After `approval`: for the backend to validate, as after a phone's approval. */
  accessToken?: string;
  /** After `enrolment`: adds one phone. */
  enrolmentToken?: string;
  recoveryCodesLeft: number;
}

/** What a screen asks a challenge for. */
interface Asked {
  action: string;
  custom?: Record<string, unknown>;
  terminal?: SignedRequest;
}

interface PolledState {
  state: ChallengeState;
  accessToken?: string;
  matchCode?: string;
  claimedBy?: { name: string; devicePlatform: string | null };
  qr?: RollingQr;
}

interface Polled extends QrCodeChallengeResponse {
  /** With which only the screen that made the challenge polls it. */
  deviceCode: string | undefined;
  qr?: RollingQr;
}

/** A client of one tenant in one page. */
export class Stepup {
  readonly qrCode: QrCode;
  readonly push: Push;
  readonly recoveryCode: RecoveryCode;

  constructor(options: { tenantId: string; baseUrl: string }) {
    this.qrCode = new QrCode(options.tenantId, base(options.baseUrl));
    this.push = new Push(base(options.baseUrl));
    this.recoveryCode = new RecoveryCode(base(options.baseUrl));
  }

  /** The token of `track`, or the `url` that holds it: from now on only that user may approve, and only that action. */
  setToken(tokenOrUrl: string): void {
    this.qrCode.token = tokenOf(tokenOrUrl);
    this.push.token = this.qrCode.token;
    this.recoveryCode.token = this.qrCode.token;
  }

  /** Goes to the page that the server hosts: the `url` of `track`. */
  launch(url: string): void {
    window.location.href = url;
  }
}

/** For a person whose phone is gone. Needs the token of `track`. Nothing here throws: a refusal is in the answer. */
export class RecoveryCode {
  /** @internal */
  token: string | undefined;

  constructor(private readonly baseUrl: string) {}

  /** Uses a code up: it passes the challenge, or with the purpose `enrolment` lets one new phone in. */
  verify({ code, purpose = 'approval' }: { code: string; purpose?: 'approval' | 'enrolment' }): Promise<StepupResponse<RecoveryResponse>> {
    return answered(async () => {
      if (this.token === undefined) throw new StepupError(0, 'token_not_set', 'set the token of `track` first');
      const body = { verificationCode: code, purpose };
      return send<RecoveryResponse>({ method: 'POST', url: `${this.baseUrl}/client/verify/recovery-code`, authorization: `Bearer ${this.token}`, body });
    });
  }
}

/** The screen's side of a QR challenge; one at a time. Nothing here throws: a refusal is in the answer. */
export class QrCode {
  /** @internal */
  token: string | undefined;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refreshing: ReturnType<typeof setTimeout> | undefined;
  #params: ChallengeParams | undefined;
  /** The challenge whose code is on show. */
  #shown = '';
  readonly #rolling = new RollingCode((text) => this.#params?.onQrCode?.(text));
  /** What was last told of it. */
  #state: ChallengeState = 'unclaimed';
  /** Counts starts and ends, so that what was begun before hears that it is not meant any more. */
  #round = 0;
  readonly #terminals: TerminalMessages;

  constructor(private readonly tenantId: string, private readonly baseUrl: string) {
    this.#terminals = new TerminalMessages(tenantId, () => this.#issued());
  }

  /** Opens a challenge. The answer comes when there is a code to show; `onStateChange` tells the rest. */
  challenge(params: ChallengeParams): Promise<StepupResponse<QrCodeChallengeResponse>> {
    return answered(async () => {
      this.disconnect();
      this.#params = params;
      const round = this.#round;
      const made = await this.#withGoodNonce(() => (params.polling ? this.#create(round) : this.#listen(round)));
      if (round === this.#round) this.#refreshLater(params.refreshInterval ?? 540_000);
      return made;
    });
  }

  /** Replaces the code; the old one can be claimed no more. */
  async refresh({ custom }: { custom?: Record<string, unknown> } = {}): Promise<StepupResponse<QrCodeChallengeResponse>> {
    const params = this.#params;
    if (!params) return answered(() => Promise.reject(new StepupError(0, 'invalid_request', 'there is no code to replace: call `challenge` first')));
    const answer = await this.challenge({ ...params, ...(custom ? { custom } : {}) });
    if (answer.data) params.onRefresh?.(answer.data.challengeId, answer.data.expiresAt);
    return answer;
  }

  /**
   * Answers a phone that asks over the radio whether it is beside this terminal: with the signature, in base64, that its claim will
   * carry. Only about the challenge on show, and only while nobody has it.
   */
  near(question: NearQuestion): Promise<StepupResponse<string>> {
    return answered(async () => {
      const terminal = this.#params?.terminal;
      if (!terminal) throw new StepupError(0, 'terminal_not_set', 'only a screen that is a `terminal` can say that a phone is near');
      if (this.#shown === '' || question.challengeId !== this.#shown) throw new StepupError(0, 'challenge_not_found', 'this is not the challenge on show');
      if (this.#state !== 'unclaimed') throw new StepupError(0, 'challenge_already_claimed', 'a phone has this challenge already');
      return this.#terminals.near(terminal, question);
    });
  }

  /** Replaces the code in time, unless a phone has it by then. */
  #refreshLater(after: number): void {
    if (after <= 0) return;
    this.#refreshing = setTimeout(async () => {
      const round = this.#round + 1;
      const { error } = await this.refresh();
      // Nobody listens to the old code any more, and there is no new one.
      if (error !== undefined && round === this.#round) this.#tell('expired');
    }, after);
    // A process is not kept alive by a code that nobody scans.
    (this.#refreshing as { unref?: () => void }).unref?.();
  }

  /** Stops listening. */
  disconnect(): void {
    this.#round += 1;
    clearTimeout(this.#timer);
    clearTimeout(this.#refreshing);
    this.#rolling.stop();
    this.#shown = '';
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** Does this once more if it was signed with a nonce of the server's that is good no more. */
  async #withGoodNonce<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StepupError) || !error.errors.some(({ code }) => code === 'unknown-nonce')) throw error;
      this.#terminals.renew();
      return work();
    }
  }

  /** What terminals sign with. */
  async #issued(): Promise<Issued> {
    const { nonce, issuer } = await send<Issued>({ method: 'POST', url: `${this.baseUrl}/client/challenge`, authorization: this.#tenant, body: {} });
    if (typeof nonce !== 'string' || typeof issuer !== 'string') throw new StepupError(0, 'invalid_answer', 'the server answered no nonce for terminals');
    return { nonce, issuer };
  }

  /** What is asked for; at a terminal under its signature, which is good once. */
  async #asked(): Promise<Asked> {
    const { action, custom, terminal } = this.#params ?? {};
    const tracked = this.token === undefined ? undefined : readToken(this.token).other?.actionCode;
    const code = action ?? tracked;
    if (code === undefined) throw new StepupError(0, 'invalid_request', 'name the action, or set the token of `track`');
    const asked = { action: code, ...(custom ? { custom } : {}) };
    return terminal ? { ...asked, terminal: await this.#terminals.create(terminal, code, this.token) } : asked;
  }

  /** Ends what was begun before the last start or end. */
  #isMeant(round: number): void {
    if (round !== this.#round) throw new StepupError(0, 'disconnected', 'the screen stopped before it had a code');
  }

  get #rolls(): { rollingQr?: true } {
    return this.#params?.onQrCode ? { rollingQr: true } : {};
  }

  /** Answers once the server has made a challenge; falls back to polling if the socket fails before or after. */
  async #listen(round: number): Promise<QrCodeChallengeResponse> {
    const { action, ...asked } = await this.#asked();
    this.#isMeant(round);
    const address = this.baseUrl.replace(/^http/, 'ws').replace(/\/v1$/, '/ws-v1-challenge');
    const credential = this.token === undefined ? `x.authsignal.tenant.${this.tenantId}` : `x.authsignal.token.${this.token}`;
    const socket = new WebSocket(address, ['authsignal-ws', credential]);
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      let created: Polled | undefined;
      socket.onopen = () => {
        const data = { challengeType: 'QR_CODE', actionCode: action, ...asked, ...this.#rolls };
        socket.send(JSON.stringify({ type: 'CREATE_CHALLENGE', data }));
      };
      socket.onmessage = ({ data: text }) => {
        if (round !== this.#round) return;
        const { type, data } = JSON.parse(String(text)) as { type: string; data: Record<string, string> };
        const { qr } = data as unknown as { qr?: RollingQr };
        if (type === 'ERROR' && !created) {
          // Whatever else it says is for clients that know no `ERROR`.
          socket.onmessage = socket.onclose = null;
          socket.close();
          reject(refused(0, data as Refusal));
        } else if (type === 'CHALLENGE_CREATED') {
          const { challengeId = '', deviceCode, expiresAt = '' } = data;
          created = { challengeId, deviceCode, expiresAt, state: 'unclaimed' };
          this.#shown = challengeId;
          this.#state = 'unclaimed';
          this.#rolling.take(qr);
          resolve({ challengeId, expiresAt, state: 'unclaimed' });
        } else if (data?.challengeId === this.#shown) {
          if (type === 'STATE_CHANGE') {
            this.#tell(data.state as ChallengeState, data.accessToken);
            const { claimedBy } = data as unknown as PolledState;
            if (claimedBy) this.#params?.onClaimedBy?.(claimedBy);
          }
          if (type === 'MATCH_CODE' && data.matchCode) this.#params?.onMatchCode?.(data.matchCode);
          if (type === 'EXPIRED') this.#tell('expired');
          if (type === 'QR') this.#rolling.take(qr);
        }
      };
      // `onclose` follows and does the work.
      socket.onerror = () => undefined;
      socket.onclose = () => {
        if (round !== this.#round) return;
        if (created?.deviceCode) this.#poll(created, 0);
        else this.#withGoodNonce(() => this.#create(round)).then((made) => (created ? this.#params?.onRefresh?.(made.challengeId, made.expiresAt) : resolve(made)), reject);
      };
    });
  }

  /** Makes a challenge without a socket. */
  async #create(round: number): Promise<QrCodeChallengeResponse> {
    const body = { ...(await this.#asked()), ...this.#rolls };
    this.#isMeant(round);
    const authorization = this.token === undefined ? this.#tenant : `Bearer ${this.token}`;
    const made = await send<Polled>({ method: 'POST', url: `${this.baseUrl}/client/challenge/qr-code`, authorization, body });
    if (round === this.#round) {
      this.#shown = made.challengeId;
      this.#state = 'unclaimed';
      this.#rolling.take(made.qr);
      this.#poll(made);
    }
    return { challengeId: made.challengeId, expiresAt: made.expiresAt, state: 'unclaimed' };
  }

  /** Asks what becomes of a challenge, as the screen that made it: only that has its device code. */
  #poll({ challengeId, deviceCode, expiresAt }: Polled, first?: number): void {
    const round = this.#round;
    const interval = this.#params?.pollInterval ?? 3000;
    let code: string | undefined;
    const ask = async (): Promise<void> => {
      try {
        const url = `${this.baseUrl}/client/verify/qr-code`;
        const { state, accessToken, matchCode, claimedBy, qr } = await send<PolledState>({ method: 'POST', url, authorization: this.#tenant, body: { challengeId, deviceCode } });
        if (round !== this.#round) return;
        if (this.#params?.onQrCode) this.#rolling.take(qr);
        if (state !== this.#state) {
          this.#tell(state, accessToken);
          if (claimedBy) this.#params?.onClaimedBy?.(claimedBy);
        }
        if (matchCode && matchCode !== code) this.#params?.onMatchCode?.((code = matchCode));
      } catch {
        // The next poll may be luckier; the challenge ends by itself.
      }
      if (round !== this.#round) return;
      if (Date.now() > Date.parse(expiresAt) + 60_000) this.#tell('expired');
      else this.#timer = setTimeout(ask, interval);
    };
    this.#timer = setTimeout(ask, first ?? interval);
  }

  get #tenant(): string {
    return `Basic ${toBase64(utf8(this.tenantId))}`;
  }

  #tell(state: ChallengeState, accessToken?: string): void {
    const { onStateChange } = this.#params ?? {};
    this.#state = state;
    clearTimeout(this.#refreshing);
    this.#rolling.stop();
    if (state !== 'claimed' && state !== 'unclaimed') this.disconnect();
    onStateChange?.(state, accessToken);
  }
}
