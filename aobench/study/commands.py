def add_parser(verbs):
    pass


def run(args):
    pass
