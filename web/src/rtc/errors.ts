/**
 * Why a call cannot go on, by what somebody could do about it: each code has one screen.
 * - `refused`: the server answered with an error (its words are the message)
 * - `timeout`: the server is connected but did not answer
 * - `disconnected`: the socket closed while an answer was awaited
 * - `unsupported`: this browser cannot do WebRTC
 * - `removed`: an administrator of the room sent us away, or ended the call
 * - `media`: signalling works, but no media connection comes about
 */
export type CallErrorCode = 'refused' | 'timeout' | 'disconnected' | 'unsupported' | 'removed' | 'media';

export class CallError extends Error {
  readonly code: CallErrorCode;

  constructor(code: CallErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CallError';
    this.code = code;
  }
}

/** The error itself if it is one of ours, else one of the given code around it. */
export function asCallError(error: unknown, code: CallErrorCode): CallError {
  if (error instanceof CallError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new CallError(code, message, { cause: error });
}
