"""After a rollback: has it taken effect?"""
