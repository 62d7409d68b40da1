// What an IP address looks like: text -> yes or no. The engine's URL parser knows IPv6; IPv4 is checked here, since
// that parser also takes octal and hexadecimal numbers for addresses (inet_aton(3)), which resolv.conf(5) does not.

export function isIp(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

export function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

function isIpv6(text: string): boolean {
  return canonicalIpv6(text) !== undefined;
}

/** 127.0.0.0/8, ::1, and the former written as IPv6. */
export function isLoopback(ip: string): boolean {
  const ipv6 = canonicalIpv6(ip);
  return ipv6 === undefined ? ip.startsWith('127.') : ipv6 === '::1' || /^::ffff:7f..:/.test(ipv6);
}

function canonicalIpv6(text: string): string | undefined {
  if (!/^[0-9a-f:.]+$/i.test(text) || !text.includes(':')) return undefined;
  return URL.parse(`http://[${text}]`)?.hostname.slice(1, -1);
}
