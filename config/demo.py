"""The demo people of a development machine and how they sign in. `manage.py seed_demo` makes them, `manage.py up` names them."""

PASSWORD = "parley-demo-2026"
PEOPLE = (
    ("olive@acme.example", "owner of Acme"),
    ("liam@acme.example", "leader, Acme"),
    ("mona@acme.example", "manager, Acme"),
    ("ada@acme.example", "support agent, Acme"),
    ("greta@globex.example", "owner of Globex"),
    ("staff@parley.example", "platform staff"),
)
