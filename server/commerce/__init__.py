"""The sale: products, prices in force, holds, orders and payments."""
