/**
 * Cuts a byte stream into frames. A stream has no message boundaries: frames come split, joined, and with noise
 * between them. Noise is a value here, not an exception: it is counted and shown, and reading goes on at the next byte
 * that can begin a frame. The buffer is bounded by the rule's largest frame.
 */

export interface FrameRule {
  /** No frame is longer; a longer announcement is noise. */
  readonly sizeBytesMax: number;
  /** Total length of the frame that begins at byte 0 of `at`, `more` if that cannot be told yet, `no` if none begins there. */
  measure(at: Uint8Array): number | 'more' | 'no';
  /** Whether a complete frame is sound (checksum). An unsound one is noise from its first byte on. */
  check(frame: Uint8Array): boolean;
}

export type Cut =
  { readonly kind: 'frame'; readonly bytes: Uint8Array } | { readonly kind: 'noise'; readonly bytes: Uint8Array };

export interface Framer {
  /** Adds bytes and returns what is complete, in order. */
  push(chunk: Uint8Array): readonly Cut[];
  /** Gives up an incomplete frame (silence on a serial line, end of stream): its first byte is noise, the rest is tried again. */
  flush(): readonly Cut[];
  /** Bytes of an incomplete frame. */
  readonly pending: number;
}

export function createFramer(rule: FrameRule): Framer {
  // One growing buffer with a read offset: a chunk costs its own length, even when it brings 7 bytes of a 3 MB answer.
  let buffer: Uint8Array = new Uint8Array(256);
  let start = 0;
  let end = 0;

  const append = (chunk: Uint8Array): void => {
    if (end + chunk.length > buffer.length) {
      const used = end - start;
      const target =
        used + chunk.length > buffer.length / 2
          ? new Uint8Array(Math.max(buffer.length * 2, used + chunk.length))
          : buffer;
      target.set(buffer.subarray(start, end));
      buffer = target;
      start = 0;
      end = used;
    }
    buffer.set(chunk, end);
    end += chunk.length;
  };

  const scan = (final: boolean): readonly Cut[] => {
    const cuts: Cut[] = [];
    let noiseFrom = start;
    const endNoise = (): void => {
      if (start > noiseFrom) cuts.push({ kind: 'noise', bytes: buffer.slice(noiseFrom, start) });
    };
    let mayFlush = final;
    while (start < end) {
      const size = rule.measure(buffer.subarray(start, end));
      if (size === 'no' || (typeof size === 'number' && (size > rule.sizeBytesMax || size < 1))) {
        start += 1;
      } else if (size === 'more' || size > end - start) {
        if (!mayFlush) break;
        start += 1;
      } else if (!rule.check(buffer.subarray(start, start + size))) {
        start += 1;
      } else {
        endNoise();
        cuts.push({ kind: 'frame', bytes: buffer.slice(start, start + size) });
        start += size;
        noiseFrom = start;
        mayFlush = final;
      }
    }
    endNoise();
    if (start === end) {
      start = 0;
      end = 0;
      if (buffer.length > 65_536) buffer = new Uint8Array(256);
    }
    return cuts;
  };

  return {
    push(chunk) {
      append(chunk);
      return scan(false);
    },
    flush: () => scan(true),
    get pending() {
      return end - start;
    },
  };
}
