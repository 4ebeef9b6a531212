"""How good models are on melodies they have not seen, and how their melodies compare with human ones."""
