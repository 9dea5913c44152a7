/**
 * Structured log lines: JSON, one per event, on standard error. Persons and secrets never enter a log line;
 * the redaction list is the second fence behind that rule, not the first (security S26, S37).
 */
import { pino, type Logger } from 'pino';

export type Log = Logger;

const SECRET = ['password', 'commKey', 'key', 'token', 'secret', 'name', 'documentNumber', 'photo', 'jws', 'raw'];

export function createLog(options: { level?: string; destination?: NodeJS.WritableStream } = {}): Log {
  return pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET.flatMap((word) => [word, `*.${word}`, `*.*.${word}`]), censor: '[redacted]' },
    },
    options.destination ?? process.stderr,
  );
}

/** A log that says nothing; for commands whose output is their result, and for tests. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
