"""A child that gives each order back twice, after chatter that is no answer; "fail" is its last order."""

from lstm_mnist.commands.peers import answers

orders, answer = answers()
for order in orders:
    print("chatter")
    if order == "fail":
        raise ValueError("an order to fail")
    answer([order, order])
