"""What we know about a customer on a day: events, their store, and the numbers made from them."""
