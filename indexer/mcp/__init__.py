"""Answer agents that ask about their own past, by the Model Context Protocol. It only reads."""
