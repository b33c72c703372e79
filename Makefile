.PHONY: demo test lint docs clean

demo test lint docs clean:
	@./dev $@
