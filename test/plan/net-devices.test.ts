// The rtnetlink messages that move an interface into a container, and what init does with it.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { netlinkMessage, u32 } from '../../src/plan/netlink.ts';
import { bufferOf, type Change, INPUTS, plan, run, stepsOf } from '../support/plan-input.ts';

const DEVICES = INPUTS['network devices']!;
const hex = (bytes: Uint8Array | string | undefined): string => Buffer.from(bytes ?? '').toString('hex');
const bufferNamed = (change: Change, name: string): string =>
  hex(plan(change).buffers.find((buffer) => buffer.name === name)?.init);

test('netlinkMessage: header, body and attributes, each from a multiple of four', () => {
  const message = netlinkMessage(16, 0x600, new Uint8Array([9]), [
    [3, new Uint8Array([0x61, 0])],
    [19, u32(5)],
  ]);
  assert.is(
    hex(message),
    [
      ...['24000000', '1000', '0506', '00000000', '00000000'], // length, type, flags, sequence, port
      '09000000',
      ...['0600', '0300', '6100', '0000'],
      ...['0800', '1300', '05000000'],
    ].join(''),
  );
});

test('a device is moved by its number, under the name that it gets', () => {
  const lan = bufferNamed(DEVICES, 'device-1-move');
  assert.is(lan.slice(32, 64), '00000000080000000000000000000000', 'struct ifinfomsg');
  assert.match(lan, /0800030{1}06c616e00$/, 'IFLA_IFNAME lan');
  assert.match(bufferNamed(DEVICES, 'device-0-move'), hex(new TextEncoder().encode('tinyrun7')));
});

test('init is moved to: its pid is in the message before it is sent, and it waits until then', () => {
  const steps = stepsOf(DEVICES);
  const at = (pattern: RegExp): number => {
    const found = steps.findIndex(({ text }) => pattern.test(text));
    assert.is.not(found, -1, `${pattern}`);
    return found;
  };
  const pids: number[] = [];
  const { calls } = run(DEVICES, (call) => {
    if (call.call === 'sendto' && bufferOf(call, 1)?.endsWith('-move'))
      pids.push(new DataView(call.memory(1).slice(0, 64).buffer).getInt32(36, true));
    return undefined;
  });
  const init = calls.find(({ call }) => call === 'clone3')?.value;
  assert.equal(pids, [init, init]);
  assert.ok(at(/^write\(\$go-w, "g", 1\)/) > 0);
});

test('what the kernel refuses has its errno in words, and ends the container', () => {
  const answers = {
    EEXIST: /EEXIST file exists: there is an interface of the name lan/,
    EPROTO: /the kernel refuses it/,
  };
  for (const [number, words] of [
    [17, answers.EEXIST],
    [71, answers.EPROTO],
  ] as const) {
    let sent = '';
    const { printed, exit } = run(DEVICES, (call) => {
      if (call.call === 'sendto') sent = bufferOf(call, 1) ?? '';
      if (call.call === 'recvfrom' && sent === 'device-1-move')
        call.memory(1).set(new Uint8Array(new Int32Array([-number]).buffer), 16);
      return undefined;
    });
    assert.match(printed.map(({ line }) => line).join(''), words);
    assert.is(exit, 125);
  }
});

test.run();
