"""How good models are on melodies they have not seen, and how what they make compares with what people made."""
