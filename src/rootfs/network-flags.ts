// The flags that end up in /etc/hosts and /etc/resolv.conf: text -> data, with Docker's grammar and words.
//
//   --add-host NAME:IP   or NAME=IP; an IPv6 address may stand in brackets
//   --dns IP             --dns-search DOMAIN

import { TinyrunError } from '../errors.ts';
import type { HostEntry } from './hosts.ts';
import { isIp } from './ip.ts';

/**
 * Parses the value of --add-host. The address stays as it was written, brackets aside.
 *
 * @throws TinyrunError USAGE, in Docker's words; UNSUPPORTED for `host-gateway`
 * @example parseAddHost('db:[::1]') // { name: 'db', ip: '::1' }
 */
export function parseAddHost(text: string): HostEntry {
  const separator = text.includes('=') ? '=' : ':';
  const at = text.indexOf(separator);
  const name = text.slice(0, Math.max(at, 0));
  if (name === '' || name.includes(':') || /\s/.test(name)) {
    throw new TinyrunError('USAGE', `bad format for add-host: ${JSON.stringify(text)}`);
  }
  const value = text.slice(at + 1);
  if (value === 'host-gateway') {
    throw new TinyrunError(
      'UNSUPPORTED',
      `add-host ${name}: host-gateway needs a bridge network, which tinyrun does not make`,
      { hint: `give the host's address itself: --add-host ${name}:192.0.2.1` },
    );
  }
  const ip = /^\[.+\]$/.test(value) ? value.slice(1, -1) : value;
  if (!isIp(ip.trim())) {
    throw new TinyrunError('USAGE', `invalid IP address in add-host: ${JSON.stringify(ip)}`);
  }
  return { name, ip: ip.trim() };
}

/** @throws TinyrunError USAGE if the value of --dns is no IP address */
export function parseDns(text: string): string {
  const ip = text.trim();
  if (!isIp(ip)) throw new TinyrunError('USAGE', `IP address is not correctly formatted: ${text}`);
  return ip;
}

/**
 * Parses the value of --dns-search: a domain, returned without its final dot, or `.` for no search list.
 *
 * @throws TinyrunError USAGE if it is no domain name
 */
export function parseDnsSearch(text: string): string {
  const domain = text.trim();
  if (domain === '.') return domain;
  const bare = domain.replace(/\.$/, '');
  const labels = bare.split('.');
  const isLabel = (label: string) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(label);
  if (!/[a-z]/i.test(bare) || bare.length >= 255 || !labels.every(isLabel)) {
    throw new TinyrunError('USAGE', `${domain} is not a valid domain`);
  }
  return bare;
}
