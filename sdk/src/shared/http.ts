// JSON over HTTP, and the two ways in which callers hear a refusal.

/** What the server refused, or why it could not be reached. */
export class StepupError extends Error {
  /** The HTTP status; 0 if there was no answer. */
  readonly statusCode: number;
  /** The wire's code, such as `unauthorized` or `challenge_expired`; `network_error` if there was no answer. */
  readonly errorCode: string;
  /** The server's own sentence. */
  readonly errorDescription: string | undefined;
  /** What is wrong with which parts of the request; empty where no part is. */
  readonly errors: readonly FieldIssue[];

  constructor(statusCode: number, errorCode: string, errorDescription?: string, errors: readonly FieldIssue[] = []) {
    super(errorDescription ?? errorCode);
    this.name = 'StepupError';
    this.statusCode = statusCode;
    this.errorCode = errorCode;
    this.errorDescription = errorDescription;
    this.errors = errors;
  }
}

/** One part of a request that is wrong. */
export interface FieldIssue {
  /** A JSON pointer into the body, or into `/path`, `/query` or `/header`. */
  pointer: string;
  /** Such as `missing-field` or `unknown-nonce`. */
  code: string;
  detail: string;
}

/** What a refusal says, over HTTP as over the socket. */
export interface Refusal {
  error?: string;
  errorCode?: string;
  errorDescription?: string;
  errors?: FieldIssue[];
}

/** The error for what the server refused with this status. */
export const refused = (statusCode: number, { error, errorCode, errorDescription, errors }: Refusal): StepupError =>
  new StepupError(statusCode, errorCode ?? error ?? 'unknown', errorDescription, Array.isArray(errors) ? errors : []);

/** An answer as browser and mobile SDKs of this field give it: `data`, or what went wrong. Nothing is thrown. */
export interface StepupResponse<T> {
  data?: T;
  error?: string;
  errorCode?: string;
  errorDescription?: string;
}

/** Runs `work` and turns what it throws into an answer. */
export async function answered<T>(work: () => Promise<T>): Promise<StepupResponse<T>> {
  try {
    return { data: await work() };
  } catch (error) {
    const { errorCode, message } = error instanceof StepupError ? error : { errorCode: 'sdk_error', message: String(error) };
    return { error: errorCode, errorCode, errorDescription: message };
  }
}

/** One request. */
export interface Request {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  authorization: string;
  headers?: Record<string, string>;
  body?: object;
}

/** Sends one request and returns the JSON object or array of the answer; throws {@link StepupError}. */
export async function send<T>({ method, url, authorization, headers, body }: Request): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: { Accept: 'application/json', Authorization: authorization, ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
      cache: 'no-store',
    });
    text = await response.text();
  } catch (error) {
    throw new StepupError(0, 'network_error', error instanceof Error ? error.message : String(error));
  }
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new StepupError(response.status, 'invalid_answer', `the server answered HTTP ${response.status} without JSON`);
  }
  if (!response.ok) throw refused(response.status, answer as Refusal);
  return answer as T;
}

/**
 * Does `work` once more, at most `retries` times, after an error that `allows` it. By default that is a connection that broke: it does
 * not say whether the request arrived, so this is for requests that come to the same when they come twice.
 */
export async function repeated<T>(work: () => Promise<T>, retries = 2, allows = (error: StepupError): boolean => error.statusCode === 0): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StepupError) || !allows(error) || attempt >= retries) throw error;
      await new Promise((done) => setTimeout(done, 100 * 2 ** attempt));
    }
  }
}

/** `…/v1` without a slash at the end; every path is put behind it. */
export const base = (url: string): string => url.replace(/\/+$/, '');

/** A text as one segment of a path. */
export const segment = (text: string): string => {
  if (text === '' || text === '.' || text === '..') throw new StepupError(0, 'invalid_request', `\`${text}\` cannot stand in a path`);
  return encodeURIComponent(text);
};
