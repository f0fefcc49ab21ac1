"""A flat PNG image and its name (SHA-256 over u32le width, u32le height, RGB rows)."""
import hashlib
import struct
import zlib


def png_of(rgb, width, height):
    pixels = bytes(rgb) * (width * height)
    rows = b"".join(b"\0" + pixels[3 * width * y:3 * width * (y + 1)] for y in range(height))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    png = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
           chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return png, hashlib.sha256(struct.pack("<II", width, height) + pixels).hexdigest()
