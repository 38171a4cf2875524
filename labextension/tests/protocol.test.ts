import { describe, expect, it } from 'vitest';

import { PROTOCOL, readKernelMessage, readReply } from '../src/protocol';
import { golden } from './golden';

describe('the protocol', () => {
  it('is the one that the kernel speaks', () => {
    expect(golden.protocol).toBe(PROTOCOL);
  });

  it.each(Object.entries(golden.mlestar))('reads what the kernel tells: %s', (_, message) => {
    expect(readKernelMessage(message)).toBe(message);
  });

  it.each(Object.entries(golden['mlestar.control']))('reads the reply to %s', (_, { reply }) => {
    expect(readReply(reply)).toBe(reply);
  });

  it('says in one line why a request was refused', () => {
    const { reply } = golden['mlestar.control']['version mismatch'];
    expect(reply.ok).toBe(false);
    expect(reply.error).toContain('bring the package in this kernel up to date');
  });

  it.each([null, 7, 'hello', [], {}, { type: 'dance' }, { type: 'event' }, { type: 'status' }])(
    'passes over what it does not know: %j',
    data => {
      expect(readKernelMessage(data)).toBeNull();
      expect(readReply(data)).toBeNull();
    }
  );
});
