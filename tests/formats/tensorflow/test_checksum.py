from ostinato.formats.tensorflow.checksum import masked_crc32c


def test_the_check_value_of_crc32c_masked() -> None:
    # CRC32C of "123456789" is e3069283; rotated right by 15 bits it is 2507c60d, plus a282ead8.
    assert masked_crc32c(b"123456789") == (0x2507C60D + 0xA282EAD8) & 0xFFFFFFFF
