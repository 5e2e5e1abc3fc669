"""Callback URLs of places that only the server can reach. PORT stands for a port on which a test listens."""

_LOOPBACK_IPV4 = [
    "http://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/",
    "HTTP://127.0.0.1:PORT/",
    "http://127.0.0.1.:PORT/",  # a trailing dot
    "http://127.0.0.1..:PORT/",
    "http://127.1:PORT/",  # short forms
    "http://127.0.1:PORT/",
    "http://2130706433:PORT/",  # one decimal number
    "http://0x7f000001:PORT/",  # hexadecimal
    "http://0x7F.1:PORT/",
    "http://0x7f.0x0.0x0.0x1:PORT/",
    "http://017700000001:PORT/",  # octal
    "http://0177.0.0.1:PORT/",
    "http://0177.0x0.0.1:PORT/",
    "http://00000000177.0.0.1:PORT/",
    "http://127.0.0.01:PORT/",
    "http://4294967297:PORT/",  # 32 bits and one more
    "http://0x100000000000001:PORT/",
    "http://127.0.0.1.0:PORT/",
    "http://127.255.255.254:PORT/",
    "http://127.0.0.256:PORT/",
]
_LOOPBACK_IPV6 = [
    "http://[::1]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[0000::0001]:PORT/",
    "http://[::1%25lo]:PORT/",  # a zone
    "http://[::1%lo]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",  # IPv4-mapped
    "http://[::ffff:7f00:1]:PORT/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:PORT/",
    "http://[::127.0.0.1]:PORT/",  # IPv4-compatible
    "http://[::ffff:0:127.0.0.1]:PORT/",  # IPv4-translated
    "http://[64:ff9b::127.0.0.1]:PORT/",  # NAT64
    "http://[64:ff9b:1::7f00:1]:PORT/",  # NAT64, a network's own prefix
    "http://[2002:7f00:1::]:PORT/",  # 6to4
    "http://[2002:a9fe:a9fe::]:PORT/",
    "http://[2001:0:7f00:1::]:PORT/",  # Teredo, by its server
    "http://[2001:0:5db8:d822:0:0:80ff:fffe]:PORT/",  # Teredo, by its client: 127.0.0.1 inverted
    "http://[127.0.0.1]:PORT/",
    "http://::1:PORT/",
]
_NOBODY_OR_EVERYBODY = [
    "http://0.0.0.0:PORT/",
    "http://0:PORT/",
    "http://0x0:PORT/",
    "http://[::]:PORT/",
    "http://[0::0]:PORT/",
    "http://[::ffff:0.0.0.0]:PORT/",
    "http://0.1.2.3:PORT/",
    "http://255.255.255.255:PORT/",
    "http://224.0.0.1:PORT/",
    "http://239.255.255.250:PORT/",
    "http://240.0.0.1:PORT/",
    "http://[ff02::1]:PORT/",
    "http://[ff05::1:3]:PORT/",
]
_PRIVATE = [
    "http://10.0.0.1:PORT/",
    "http://172.16.0.1:PORT/",
    "http://172.31.255.255:PORT/",
    "http://192.168.1.1:PORT/",
    "http://100.64.0.1:PORT/",  # carrier-grade NAT
    "http://198.18.0.1:PORT/",
    "http://192.0.2.1:PORT/",
    "http://192.0.0.8:PORT/",
    "http://[fc00::1]:PORT/",
    "http://[fd12:3456:789a::1]:PORT/",
    "http://[fec0::1]:PORT/",
    "http://[2001:db8::1]:PORT/",
    "http://[3fff::1]:PORT/",
    "http://[4000::1]:PORT/",
    "http://[100::1]:PORT/",
]
#: Refused whatever is allowed.
LINK_LOCAL_AND_METADATA = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://[fe80::1]:PORT/",
    "http://[fe80::1%25eth0]:PORT/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::169.254.169.254]/",
    "http://[::ffff:0:169.254.169.254]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://192.0.0.192/opc/v2/instance/",
]
_NAMES = [
    "http://localhost:PORT/",
    "http://LocalHost:PORT/",
    "http://localhost.:PORT/",
    "http://localhost..:PORT/",
    "http://any.localhost:PORT/",
    "http://a.b.localhost.:PORT/",
]
_TRICKS = [
    "http://user@127.0.0.1:PORT/",  # user names
    "http://user:password@localhost:PORT/",
    "http://example.com@127.0.0.1:PORT/",
    "http://example.com:80@127.0.0.1:PORT/",
    "http://@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@example.com/",
    "http://example.com\\@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT#@example.com/",
    "http://127.0.0.1:PORT?@example.com/",
    "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11:PORT/",  # digits and dots of other scripts
    "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:PORT/",
    "http://\u0661\u0662\u0667.\u0660.\u0660.\u0661:PORT/",
    "http://127\u30020\u30020\u30021:PORT/",
    "http://127\uff0e0\uff0e0\uff0e1:PORT/",
    "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:PORT/",
    "http://loca\u00adlhost:PORT/",
    "http://127%2e0%2e0%2e1:PORT/",  # escapes
    "http://%31%32%37.0.0.1:PORT/",
    "http://loc%61lhost:PORT/",
    "http://localhost%2e:PORT/",
    "http://127.0.0.1%00.example.com:PORT/",
    "http://127.0.0.1 :PORT/",  # blanks and control characters
    "http:// 127.0.0.1:PORT/",
    " http://127.0.0.1:PORT/",
    "http://127.0.0.1:PORT /",
    "http://127.0.0.1\t:PORT/",
    "http://127.0.0.1:PORT/\r\nX-Injected: 1",
    "http://local\nhost:PORT/",
    "http://127.0.0.1\x00.example.com:PORT/",
    "http://\x7f127.0.0.1:PORT/",
    "http://127.0.0.1:\uff18\uff10/",
    "http://127.0.0.1: 80/",
]
_OTHER_SCHEMES = [
    "ftp://127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/_x",
    "file:///etc/passwd",
    "file://127.0.0.1:PORT/",
    "redis://127.0.0.1:PORT/0",
    "unix:///run/docker.sock",
    "http+unix://%2frun%2fdocker.sock/",
    "ws://127.0.0.1:PORT/",
    "dict://127.0.0.1:PORT/info",
    "javascript:alert(1)",
    "data:text/plain,x",
    "jar:http://127.0.0.1:PORT/!/",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "localhost:PORT/",
    "/hook",
    "http:127.0.0.1:PORT",
    "http:/127.0.0.1:PORT",
    "http:///127.0.0.1:PORT/",
    "http:\\\\127.0.0.1:PORT\\",
    "http://",
    "http://:PORT/",
    "http://.:PORT/",
    "http://..:PORT/",
    "http://a..b:PORT/",
    "http://[",
    "http://]:PORT/",
    "http://[v1.127.0.0.1]:PORT/",
    "?",
]
#: Refused even where loopback is allowed.
BAD_PORTS = [
    "http://127.0.0.1:0/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:65536/",
    "http://127.0.0.1:WRAPPED/",  # PORT and 65536: what wraps around arrives at PORT
    "http://example.com:WRAPPED/",
    "http://127.0.0.1:99999999999/",
    "http://127.0.0.1:PORT:80/",
    "http://127.0.0.1:http/",
    "http://127.0.0.1:0x50/",
]

HOSTILE = [
    *_LOOPBACK_IPV4,
    *_LOOPBACK_IPV6,
    *_NOBODY_OR_EVERYBODY,
    *_PRIVATE,
    *LINK_LOCAL_AND_METADATA,
    *_NAMES,
    *_TRICKS,
    *_OTHER_SCHEMES,
    *BAD_PORTS,
]


def at(url: str, port: int) -> str:
    """The URL with a real port in it."""
    return url.replace("PORT", str(port)).replace("WRAPPED", str(port + 65536))
